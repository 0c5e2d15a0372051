"""Write damaged rows again, from their image files."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from clipsearch.batching import batches
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.embed import embed_files
from clipsearch.files.walk import os_failure
from clipsearch.images.hashing import image_id
from clipsearch.locations.open_location import StoredImage, is_plain_file, open_location
from clipsearch.models.base import Encoder
from clipsearch.store import Collection
from clipsearch.store.row_check import DamagedRow
from clipsearch.store.schema import ID_LENGTH
from clipsearch.types import Failure

Load: TypeAlias = Callable[[], Encoder]
"""Loads the model of a collection."""

RESTORED = "embedded again"
LOST_PATH = "removed: its path is not known; ingest its folder again"

WRITE_ROWS = 256


def restore(collection: Collection, damaged: Sequence[DamagedRow], load: Load) -> list[str]:
    """Embed the files of damaged rows again, and delete the rows without a usable file.

    Returns what was done with each row: RESTORED or "removed: …". Tags are not restored.
    """
    files = _find_files(collection, damaged)
    outcomes = _embed(collection, {path for path in files if path is not None}, load)
    written = {image_id(path) for path, outcome in outcomes.items() if outcome == RESTORED}
    keys = {key for row in damaged for key in row.keys} - written
    collection.archives.clear()  # first, so that the next ingestion adds what is removed here
    # What is no id at all cannot be in a filter.
    collection.delete([key for key in keys if len(key) == ID_LENGTH and key.isalnum()])
    collection.finish_writes()
    return [LOST_PATH if path is None else outcomes[path] for path in files]


def _find_files(collection: Collection, damaged: Sequence[DamagedRow]) -> list[Path | None]:
    """Return the file of each row; of a damaged path, the file whose path has the id of the row."""
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


def _embed(collection: Collection, paths: set[Path], load: Load) -> dict[Path, str]:
    """Write the rows of some files; return what was done with each."""
    outcomes: dict[Path, str] = {}
    files = [_look_at(path) for path in sorted(paths)]
    if not any(isinstance(file, ImageFile) for file in files):
        return {file.path: f"removed: {file.reason}" for file in files if isinstance(file, Failure)}
    for batch in batches(embed_files(files, load()), WRITE_ROWS):
        failures = [item for item in batch if isinstance(item, Failure)]
        rows = [item for item in batch if not isinstance(item, Failure)]
        collection.upsert(rows)
        outcomes |= {row.record.path: RESTORED for row in rows}
        outcomes |= {failure.path: f"removed: {failure.reason}" for failure in failures}
    return outcomes


def _look_at(path: Path) -> ImageFile | Failure:
    try:
        if not is_plain_file(path):
            return _read_again(path)
        return ImageFile.of(path, path.stat())
    except (OSError, ValueError) as error:
        return os_failure(path, error) if isinstance(error, OSError) else Failure(path, str(error))


def _read_again(path: Path) -> ImageFile:
    """Return an image in an archive or object store; its metadata is not known any more."""
    with open_location(path) as file:
        return replace(ImageFile.of(path, os.fstat(file.fileno())), origin=StoredImage(path))
