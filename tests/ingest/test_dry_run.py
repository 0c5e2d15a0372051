"""A preview of an ingestion counts and writes nothing."""

from pathlib import Path

from clipsearch.files.discover import FileSource
from clipsearch.store import Collection
from ingest.dry_run import preview
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts, names

DEFAULT = IngestOptions()


def test_a_preview_counts_and_writes_nothing(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    assert counts(preview(FileSource([image_folder]), None, DEFAULT)) == {"stored": 3}
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    (image_folder / "red.png").rename(image_folder / "rouge.png")
    (image_folder / "green.png").unlink()
    draw(image_folder / "new.png", (1, 1, 1))
    draw(image_folder / "blue.png", (2, 2, 2))
    report = preview(FileSource([image_folder]), collection, IngestOptions(prune=True))
    assert counts(report) == {"stored": 2, "moved": 1, "removed": 1}
    assert report.dry_run
    assert names(collection) == {"red.png", "green.png", "blue.png"}
    assert encoder.embedded_images == 3
    real = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert counts(real) == counts(report)
