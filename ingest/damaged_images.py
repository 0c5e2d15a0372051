"""The images of stored rows, such as damaged ones, and what their sources say about them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from clipsearch.files.discover import ImageFile
from clipsearch.files.walk import os_failure
from clipsearch.locations.archive_names import find_archive, is_parquet, member_name
from clipsearch.locations.object_store import find_object
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.records import Metadata
from clipsearch.remote_path import RemotePath
from clipsearch.types import Failure
from ingest.sources.object_source import RemoteObject
from ingest.sources.parquet_source import ParquetOptions
from ingest.sources.source import SourceOptions, open_source


def find_images(stored: Mapping[Path, Metadata | None]) -> Iterator[ImageFile | Failure]:
    """Yield the image at each path, or a Failure; archives are read once.

    `stored` has the metadata of the row of each path, None if that cannot be read.
    """
    members: defaultdict[tuple[Path, str | None], dict[Path, Metadata | None]] = defaultdict(dict)
    for path, metadata in sorted(stored.items()):
        try:
            file = _find_file(path)
        except OSError as error:
            yield os_failure(path, error)
            continue
        except ValueError as error:
            yield Failure(path, str(error))
            continue
        if file is not None:
            yield replace(file, metadata=FieldSelection().choose(metadata or {})[0])
        else:
            members[_place(path)][path] = metadata
    for (archive, column), wanted in members.items():
        yield from _find_members(archive, column, wanted)


def _find_file(path: Path) -> ImageFile | None:
    """Return the file or object at a path; None for a member of an archive. Raises OSError."""
    if not isinstance(path, RemotePath):
        return None if find_archive(path) else ImageFile.of(path, path.stat())
    stored = find_object(path)
    if stored is not None:
        return ImageFile(path, stored.size, stored.mtime_ns, RemoteObject(path))
    if find_archive(path) is None:
        raise FileNotFoundError(None, "no such object")
    return None


def _place(path: Path) -> tuple[Path, str | None]:
    """Return the archive of a member, and the column of a Parquet file."""
    archive = find_archive(path)
    assert archive is not None
    column = member_name(path, archive).rpartition("/")[0] if is_parquet(archive) else None
    return archive, column


def _find_members(
    archive: Path, column: str | None, wanted: dict[Path, Metadata | None]
) -> Iterator[ImageFile | Failure]:
    reason = "the archive has no such image"
    options = SourceOptions(parquet=ParquetOptions(column))
    for item in open_source([archive], options=options, strict=False):
        if item.path in wanted:
            stored = wanted.pop(item.path)
            if isinstance(item, ImageFile):
                yield replace(item, metadata=_select(item.metadata, stored))
            elif isinstance(item, Failure):
                yield item
        elif isinstance(item, Failure) and item.path == archive:
            reason = item.reason
        if not wanted:
            return
    yield from (Failure(path, reason, "missing") for path in wanted)


def _select(given: Metadata, stored: Metadata | None) -> Metadata:
    """Return the fields of an archive that the row had, as only some may have been chosen."""
    if stored is None or not stored.keys() <= given.keys():  # a name may be damaged
        return given
    return {name: value for name, value in given.items() if name in stored}
