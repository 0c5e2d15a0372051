"""Archives and prefixes in an ingestion: which are unchanged, and what is gone from them."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clipsearch.files.paths import is_missing
from clipsearch.images.hashing import image_id
from clipsearch.locations.archive_names import find_archive
from clipsearch.locations.object_store import find_object, list_objects
from clipsearch.remote_path import RemotePath
from clipsearch.store import Collection, filters
from clipsearch.store.schema import METADATA, decode_path, record_fields
from clipsearch.types import Failure
from ingest.known_failures import KnownFailures
from ingest.options import IngestOptions
from ingest.prune import SUSPICIOUS, MissingFiles
from ingest.report import Tally
from ingest.sources.source import Source, Sources

log = logging.getLogger("clipsearch")


def recall_archives(
    source: Source, collection: Collection | None, failures: KnownFailures, options: IngestOptions
) -> None:
    """Let a source skip the archives that are as they were when they were read to their end.

    Those with failures are read again if the failures may have gone.
    """
    if not isinstance(source, Sources) or collection is None or options.rehash:
        return
    for path, state in collection.archives.read().items():
        if state.conditions in ("", failures.conditions):
            source.known[path] = state


def record_archives(
    source: Source, collection: Collection, failures: KnownFailures, failed: Iterable[Failure]
) -> None:
    """Remember the archives that were read to their end, once their rows are written.

    Those with a failure that may go by itself are forgotten.
    """
    if not isinstance(source, Sources) or not source.archives:
        return
    passing: set[Path] = set()
    lasting: set[Path] = set()
    for failure in failed:
        (lasting if failure.kind == "invalid" else passing).update(failure.path.parents)
    states = {path: state for path, state in source.complete.items() if path not in passing}
    collection.archives.remove([path for path in source.archives if path not in states])
    collection.archives.write(
        {
            path: replace(state, conditions=failures.conditions if path in lasting else "")
            for path, state in states.items()
        }
    )


def note_metadata(source: Source, collection: Collection | None, tally: Tally) -> None:
    """Count metadata that was cut, and warn if a collection of an older version stores none."""
    if not isinstance(source, Sources):
        return
    found = source.metadata
    tally.metadata_cut, tally.first_cut = found.cut, found.first_cut
    if collection is None or METADATA in record_fields(collection.info.schema_version):
        return
    if found.images:
        log.warning(
            "the metadata of %s images is not stored, as the collection %r was made by an older "
            "version: `clipsearch reindex` adds the field, and then `clipsearch ingest --rehash` "
            "the metadata",
            f"{found.images:,}",
            collection.info.name,
        )


def find_missing_members(collection: Collection, source: Source, *, force: bool) -> MissingFiles:
    """Find rows of changed archives, of deleted ones beside them, and of prefixes, to remove.

    Nothing is removed from a prefix that cannot be listed. Without `force`, nothing is removed
    either if more than half of a prefix, or of the archives in a folder, is missing.
    """
    found = MissingFiles([], [])
    if not isinstance(source, Sources):
        return found
    for archive, present in source.present.items():
        ids = {id_ for id_, _ in _rows(collection, archive)}
        found.ids.extend(ids - present)
    for folder, gone in _deleted_archives(collection, source).items():
        missing = [id_ for archive in gone for id_, _ in _rows(collection, archive)]
        known = collection.count(filters.in_folder(folder))
        if _add(found, folder, missing, known, force=force):
            found.archives.extend(gone)
    for prefix in source.prefixes:
        try:
            listed = {image_id(stored.path) for stored in list_objects(prefix)}
        except OSError as error:
            found.refusals.append(f"nothing removed under {prefix}: {error.strerror or error}")
            continue
        rows = list(_rows(collection, prefix))
        missing = [id_ for id_, path in rows if id_ not in listed and not _is_member(path, prefix)]
        _add(found, prefix, missing, len(rows), force=force)
    return found


def forget_archives(collection: Collection, places: Iterable[Path]) -> None:
    """Let the archives at, above or below some places be read again."""
    given = list(places)
    collection.archives.remove(
        [
            archive
            for archive in collection.archives.read()
            if any(archive.is_relative_to(p) or p.is_relative_to(archive) for p in given)
        ]
    )


def _add(found: MissingFiles, place: Path, missing: list[str], known: int, *, force: bool) -> bool:
    """Add rows to remove, unless they are suspiciously many; return whether they were added."""
    few = len(missing) < min(SUSPICIOUS, known)
    if not force and 2 * len(missing) > known and not few:
        found.refusals.append(
            f"nothing removed under {place}: {len(missing):,} images are missing at once; "
            "`clipsearch ingest --prune --force` removes them anyway"
        )
        return False
    found.ids.extend(missing)
    return True


def _deleted_archives(collection: Collection, source: Sources) -> dict[Path, list[Path]]:
    """Return by folder the known archives that are gone, beside those that were given."""
    folders = {archive.parent for archive in source.archives}
    gone: defaultdict[Path, list[Path]] = defaultdict(list)
    for archive in collection.archives.read():
        if archive.parent in folders and archive not in source.archives and _is_gone(archive):
            gone[archive.parent].append(archive)
    return gone


def _is_gone(archive: Path) -> bool:
    if not isinstance(archive, RemotePath):
        return is_missing(archive)
    try:
        return find_object(archive) is None
    except OSError:
        return False


def _is_member(path: Path, prefix: Path) -> bool:
    """Whether a location is within an archive below a prefix."""
    archive = find_archive(path)
    return archive is not None and archive != prefix


def _rows(collection: Collection, place: Path) -> Iterator[tuple[str, Path]]:
    for text in collection.scan_field("path", filters.in_folder(place)):
        path = decode_path(text)
        yield image_id(path), path
