"""Ingest, query and remove on a Milvus server, once: the code is the same as on Lite."""

from pathlib import Path

import pytest

from clipsearch import Index
from clipsearch.models import registry
from ingest.pipeline import IngestOptions
from tests.helpers.fakes import ColorEncoder


def test_ingest_query_move_prune_and_remove_on_a_server(
    milvus_server: str, photos: Path, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", lambda *_, **__: encoder)
    with Index.open(milvus_server, collection="walk", model="pocket") as index:
        (photos / "bad.png").write_bytes(b"")
        report = index.ingest(photos)
        assert (report.stored, len(report.failed)) == (3, 1)
        assert index.search("green")[0].path.name == "green.png"

    with Index.open(milvus_server, collection="walk") as index:
        assert len(index) == 3
        both = index.search("red", image=photos / "blue.png", weights=(1, 2))
        assert [hit.path.name for hit in both] == ["blue.png", "red.png", "green.png"]
        (photos / "red.png").rename(photos / "rouge.png")
        (photos / "green.png").unlink()
        (photos / "bad.png").unlink()
        report = index.ingest(photos, options=IngestOptions(prune=True))
        assert (report.moved, report.unchanged, report.removed) == (1, 1, 1)
        assert {hit.path.name for hit in index.search("red")} == {"rouge.png", "blue.png"}
        assert index.collection.failures() == []
        assert index.remove(photos) == 2
        assert index.search("red") == []
    assert encoder.embedded_images == 3
