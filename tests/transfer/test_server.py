"""A collection goes from a file to a server, to Parquet, and back to a file."""

from pathlib import Path
from uuid import uuid4

import pytest

from clipsearch.store import Store
from clipsearch.transfer.copy_collection import copy_collections
from clipsearch.transfer.copy_rows import CopyReport
from clipsearch.transfer.export import export_collection
from clipsearch.transfer.import_files import find_exported, import_exported
from tests.helpers.full_rows import contents
from tests.transfer.test_copy_collection import facts, fill

pytest.importorskip("pyarrow", reason="pip install 'clipsearch[scale]'")


def test_every_step_keeps_rows_and_facts_bit_for_bit(
    source_store: Store, target_store: Store, milvus_server: str, tmp_path: Path
) -> None:
    source = fill(source_store)
    name = f"test_{uuid4().hex[:12]}"
    with Store.open(milvus_server) as server:
        [sent] = copy_collections(source_store, server, "images", name)
        assert sent.rows == CopyReport(20, 20, 0, 0, 0, 0, is_complete=True)
        on_server = server.collection(name)
        assert contents(on_server) == contents(source)
        assert facts(on_server) == facts(source)
        [again] = copy_collections(source_store, server, "images", name, compare_all=True)
        assert again.rows == CopyReport(20, 0, 0, 0, 0, 0, is_complete=True)
        export_collection(on_server, tmp_path / "a.parquet")
        [back] = copy_collections(server, target_store, name, "copied")
        assert back.rows.is_complete
        server.drop(name)
    files, found = find_exported([tmp_path / "a.parquet"])
    assert import_exported(files, found, target_store, "imported").stored == 20
    for copy in ("copied", "imported"):
        assert contents(target_store.collection(copy)) == contents(source)
        assert facts(target_store.collection(copy)) == facts(source)
