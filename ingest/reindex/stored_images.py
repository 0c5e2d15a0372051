"""The images of a collection as a source: what a reindex embeds again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipsearch.files.discover import ImageFile
from clipsearch.files.walk import os_failure
from clipsearch.locations.archive_names import find_archive, is_archive
from clipsearch.locations.content import Content
from clipsearch.locations.open_location import is_plain_file, open_location
from clipsearch.records import ImageRecord, Metadata
from clipsearch.store import Collection, filters
from clipsearch.types import Failure
from ingest.damaged_images import find_images


@dataclass(frozen=True, slots=True)
class StoredLocation:
    """The bytes of an image in an archive or an object store."""

    path: Path

    def read(self) -> Content:
        """Read them; raises OSError."""
        with open_location(self.path) as stream:
            return Content.of_bytes(stream.read())


class StoredImages:
    """The files of a collection's rows, then those that failed, each as it is now.

    Each archive is read once. New files of its folders and archives are not among them. A file that
    has gone is a Failure of kind "missing"; one that failed before and has gone is left out. An
    archive that failed itself fails again.
    """

    def __init__(self, collection: Collection) -> None:
        """Read nothing yet."""
        self._collection = collection
        self.roots = list(collection.info.roots)

    def __iter__(self) -> Iterator[ImageFile | Failure]:
        failed: defaultdict[Path, list[Path]] = defaultdict(list)  # by archive
        for record in self._collection.scan():
            if (archive := find_archive(record.path)) is None:
                yield find_image(record)
            else:
                failed[archive] = []
        for failure in self._collection.failures():
            if archive := find_archive(failure.path):
                failed[archive].append(failure.path)
                continue
            found = _look_at(failure.path)
            if isinstance(found, ImageFile) or found.kind != "missing":
                yield failure if is_archive(failure.path) else found
        for archive, paths in failed.items():
            yield from self._members(archive, paths)

    def _members(self, archive: Path, failed: Sequence[Path]) -> Iterator[ImageFile | Failure]:
        stored: dict[Path, Metadata | None] = dict.fromkeys(failed)
        for record in self._collection.scan(filters.in_folder(archive)):
            stored[record.path] = record.metadata
        for found in find_images(stored):
            metadata = stored[found.path]
            if isinstance(found, ImageFile):
                yield found if metadata is None else replace(found, metadata=metadata)
            elif metadata is not None or found.kind != "missing":
                yield found


def find_image(record: ImageRecord) -> ImageFile | Failure:
    """Return the file of a record as it is now, with what its source said about it."""
    if not is_plain_file(record.path):
        origin = StoredLocation(record.path)
        return ImageFile(record.path, record.size, record.mtime_ns, origin, record.metadata)
    found = _look_at(record.path)
    if isinstance(found, Failure):
        return found
    return ImageFile(found.path, found.size, found.mtime_ns, None, record.metadata)


def _look_at(path: Path) -> ImageFile | Failure:
    if not is_plain_file(path):
        return ImageFile(path, 0, 0, StoredLocation(path))
    try:
        return ImageFile.of(path, path.stat())
    except (OSError, ValueError) as error:
        return os_failure(path, error) if isinstance(error, OSError) else Failure(path, str(error))
