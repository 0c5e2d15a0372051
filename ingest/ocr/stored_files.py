"""The files of stored images, in a given order; archives follow, each of which is read once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from clipsearch.batching import batches
from clipsearch.files.discover import ImageFile
from clipsearch.locations.archive_names import find_archive
from clipsearch.records import ImageRecord
from clipsearch.store import Collection, filters
from clipsearch.types import Failure
from ingest.damaged_images import find_images
from ingest.reindex.stored_images import find_image

CHUNK = 64
"""Images whose records are read at once."""

ARCHIVE_CHUNK = 20_000
"""Images of one pass over an archive; their records take about 20 MB."""

StoredFile: TypeAlias = tuple[ImageRecord, ImageFile | Failure]
"""A record and its file as it is now."""


def stored_files(
    present: Callable[[], Collection], ids: Iterable[bytes]
) -> Iterator[list[StoredFile]]:
    """Yield the files of images by the ids of these, in groups; images deleted meanwhile not.

    `present` returns the collection in the generation that is in use now: a reindex may end, and
    delete the one before, while files are read.
    """
    members: defaultdict[Path, list[bytes]] = defaultdict(list)
    for batch in batches(ids, CHUNK):
        group: list[StoredFile] = []
        for record in _records(present(), batch):
            if (archive := find_archive(record.path)) is None:
                group.append((record, find_image(record)))
            else:
                members[archive].append(record.id.encode())
        yield group
    for archive_ids in members.values():
        for batch in batches(archive_ids, ARCHIVE_CHUNK):
            yield from batches(_members(_records(present(), batch)), CHUNK)


def _records(collection: Collection, ids: Sequence[bytes]) -> list[ImageRecord]:
    """Return the records with some ids, in this order."""
    names = [id_.decode() for id_ in ids]
    found = {record.id: record for record in collection.scan(filters.id_in(names))}
    return [found[name] for name in names if name in found]


def _members(records: Iterable[ImageRecord]) -> Iterator[StoredFile]:
    by_path = {record.path: record for record in records}
    for found in find_images(dict.fromkeys(by_path)):
        yield by_path[found.path], found
