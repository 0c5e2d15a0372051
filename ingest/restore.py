"""Write damaged rows again, from their images."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from clipsearch.batching import batches
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.embed import embed_files
from clipsearch.images.hashing import image_id
from clipsearch.locations.archive_names import find_archive, is_parquet
from clipsearch.models.base import Encoder
from clipsearch.records import Metadata
from clipsearch.store import Collection
from clipsearch.store.row_check import DamagedRow
from clipsearch.store.schema import ID_LENGTH, METADATA, record_fields
from clipsearch.types import Failure
from ingest.damaged_images import find_images

Load: TypeAlias = Callable[[], Encoder]
"""Loads the model of a collection."""

RESTORED = "embedded again"
WITHOUT_METADATA = f"{RESTORED}, without metadata: ingest its Parquet file with --rehash"
LOST_PATH = "removed: its path is not known; ingest its folder again"

WRITE_ROWS = 256


def restore(collection: Collection, damaged: Sequence[DamagedRow], load: Load) -> list[str]:
    """Embed the images of damaged rows again, and delete the rows without a usable image.

    Returns what was done with each row: RESTORED, perhaps with what is missing, or "removed: …".
    Metadata comes from the archive; that of a file, which a Parquet file gave it, from the row.
    Tags are not restored.
    """
    paths = _find_paths(collection, damaged)
    metadata = {
        path: row.metadata for path, row in zip(paths, damaged, strict=True) if path is not None
    }
    outcomes = _embed(collection, metadata, load)
    if METADATA in record_fields(collection.info.schema_version) and any(
        is_parquet(archive) for archive in collection.archives.read()
    ):
        for path, known in metadata.items():
            if known is None and outcomes[path] == RESTORED and find_archive(path) is None:
                outcomes[path] = WITHOUT_METADATA
    written = {image_id(path) for path, text in outcomes.items() if is_restored(text)}
    keys = {key for row in damaged for key in row.keys} - written
    collection.archives.clear()  # first, so that the next ingestion adds what is removed here
    # What is no id at all cannot be in a filter.
    collection.delete([key for key in keys if len(key) == ID_LENGTH and key.isalnum()])
    collection.finish_writes()
    return [LOST_PATH if path is None else outcomes[path] for path in paths]


def is_restored(outcome: str) -> bool:
    """Tell whether a row was written again."""
    return outcome.startswith(RESTORED)


def _find_paths(collection: Collection, damaged: Sequence[DamagedRow]) -> list[Path | None]:
    """Return the path of each row; of a damaged one, that of the file with the id of the row."""
    sure = [row.path if row.path and image_id(row.path) in row.keys else None for row in damaged]
    found: dict[str, Path] = {}
    if not all(sure):
        roots = [root for root in collection.info.roots if root.is_dir()]
        source = FileSource(roots, strict=False)
        files = (item.path for item in source if isinstance(item, ImageFile))
        wanted = {key for row in damaged for key in row.keys}
        found = {id_: path for path in files if (id_ := image_id(path)) in wanted}
    return [
        path or next((found[key] for key in row.keys if key in found), row.path)
        for row, path in zip(damaged, sure, strict=True)
    ]


def _embed(
    collection: Collection, metadata: dict[Path, Metadata | None], load: Load
) -> dict[Path, str]:
    """Write the rows of the images at some paths; return what was done with each."""
    outcomes: dict[Path, str] = {}
    files = find_images(metadata)
    for file in files:
        if isinstance(file, ImageFile):  # the model is needed
            files = chain([file], files)
            break
        outcomes[file.path] = f"removed: {file.reason}"
    else:
        return outcomes
    for batch in batches(embed_files(files, load()), WRITE_ROWS):
        failures = [item for item in batch if isinstance(item, Failure)]
        rows = [item for item in batch if not isinstance(item, Failure)]
        collection.upsert(rows)
        outcomes |= {row.record.path: RESTORED for row in rows}
        outcomes |= {failure.path: f"removed: {failure.reason}" for failure in failures}
    return outcomes
