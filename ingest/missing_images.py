"""Find the images of a source that are gone: files, members of archives and objects."""

from collections import defaultdict
from collections.abc import Iterator, Set
from pathlib import Path

from clipsearch.files.paths import is_missing
from clipsearch.images.hashing import image_id
from clipsearch.locations.archive_names import find_archive
from clipsearch.locations.object_store import find_object, list_objects
from clipsearch.remote_path import RemotePath
from clipsearch.store import Collection, filters
from clipsearch.store.schema import decode_path
from ingest.prune import MissingFiles, find_missing, is_suspicious
from ingest.sources.source import Source, Sources


def find_missing_images(
    collection: Collection, source: Source, *, without: Set[str] = frozenset(), force: bool
) -> MissingFiles:
    """Find rows of a source to remove, each once; see `find_missing`.

    Nothing is removed from a prefix that cannot be listed. Without `force`, nothing is removed
    either if more than half of a prefix, or of the archives in a folder, is missing.
    """
    files = find_missing(collection, source.roots, without=without, force=force)
    members = _find_missing_members(collection, source, force=force)
    ids = list(dict.fromkeys([*files.ids, *members.ids]))
    return MissingFiles(ids, [*files.refusals, *members.refusals], members.archives)


def _find_missing_members(collection: Collection, source: Source, *, force: bool) -> MissingFiles:
    """Find rows of changed archives, of deleted ones beside them, and of prefixes, to remove."""
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


def _add(found: MissingFiles, place: Path, missing: list[str], known: int, *, force: bool) -> bool:
    """Add rows to remove, unless they are suspiciously many; return whether they were added."""
    if not force and is_suspicious(len(missing), known):
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
