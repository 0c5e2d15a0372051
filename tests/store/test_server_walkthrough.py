"""Ingest, query and remove on a Milvus server, once: the code is the same as on Lite."""

from pathlib import Path

import pytest

from clipsearch import Index
from clipsearch.models import registry
from ingest.options import IngestOptions
from tests.helpers.fakes import ColorEncoder


def test_ingest_query_move_prune_and_remove_on_a_server(
    milvus_server: str, image_folder: Path, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", lambda *_, **__: encoder)
    with Index.open(milvus_server, collection="walk", model="pocket") as index:
        (image_folder / "bad.png").write_bytes(b"")
        report = index.ingest(image_folder)
        assert (report.stored, len(report.failed)) == (3, 1)
        assert index.search("green")[0].path.name == "green.png"

    with Index.open(milvus_server, collection="walk") as index:
        assert len(index) == 3
        both = index.search("red", image=image_folder / "blue.png", weights=(1, 2))
        assert [hit.path.name for hit in both] == ["blue.png", "red.png", "green.png"]
        (image_folder / "red.png").rename(image_folder / "rouge.png")
        (image_folder / "green.png").unlink()
        (image_folder / "bad.png").unlink()
        report = index.ingest(image_folder, options=IngestOptions(prune=True))
        assert (report.moved, report.unchanged, report.removed) == (1, 1, 1)
        assert {hit.path.name for hit in index.search("red")} == {"rouge.png", "blue.png"}
        assert index.collection.failures() == []
        assert index.remove(image_folder) == 2
        assert index.search("red") == []
    assert encoder.embedded_images == 3
