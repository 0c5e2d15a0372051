"""Reindexing on a server, where other processes write and read at the same time."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.errors import ReindexedError
from clipsearch.store import Store
from ingest.reindex import run
from ingest.reindex.run import ReindexOptions, reindex
from tests.helpers.records import MODEL, many, row


def test_writes_to_the_old_rows_are_taken_over_and_late_ones_refused(
    milvus_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"reindex_{uuid4().hex[:8]}"
    monkeypatch.setattr(run, "GRACE_SECONDS", 0.0)
    with Store.open(milvus_server) as store, Store.open(milvus_server) as other:
        images = store.create(name, MODEL)
        images.upsert(many(30))
        images.finish_writes()
        writer, reader = other.collection(name), other.collection(name)

        def write_late(*_: object) -> int:
            """Come between the first pass and the last one, in the middle of a run."""
            writer.upsert([row("/many/late.jpg", (0, 1, 0, 0))])
            return 0

        try:
            with monkeypatch.context() as patch:
                patch.setattr(run, "wait_for_index", write_late)
                report = reindex(
                    store, name, None, lambda _: pytest.fail("embeds"), ReindexOptions(force=True)
                )
            assert report is not None
            assert report.switched
            new = store.collection(name)
            assert new.info.milvus_name == f"{name}_g2"
            assert new.count() == 31
            with pytest.raises(ReindexedError, match="run the command again"):
                writer.finish_writes()
            assert not other.is_current(reader)
            [[hit]] = reader.search(np.array([0, 1, 0, 0], np.float32), limit=1)
            assert hit.path == Path("/many/late.jpg")  # the old rows answer until they are dropped
            assert run.drop_old(store, name)
            assert other.read(name, lambda collection: collection.count()) == 31
        finally:
            store.drop(name)
        assert not [left for left in store.backend.collection_names() if left.startswith(name)]
