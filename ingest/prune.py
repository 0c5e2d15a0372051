"""Remove rows and failures of files that no longer exist, with safeguards."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from clipsearch.files.disks import mounted_disks
from clipsearch.files.paths import is_missing
from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, filters
from clipsearch.store.schema import decode_path
from clipsearch.types import Failure

SUSPICIOUS = 10  # so many files missing at once look like an unmounted disk, not like tidying up


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """The ids of rows to remove, and why other rows with missing files are kept.

    `archives` are those to forget, as all their rows are removed.
    """

    ids: list[str]
    refusals: list[str]
    archives: list[Path] = field(default_factory=list)


def find_missing(
    collection: Collection,
    roots: Sequence[Path],
    *,
    without: Set[str] = frozenset(),
    force: bool = False,
) -> MissingFiles:
    """Find rows under the roots whose file no longer exists, except for the ids in `without`.

    A file that cannot be examined (in a folder without permission) is not missing. Without `force`
    a row is kept if a disk was mounted above it and is not now. A system that cannot tell shows
    such a disk as an empty folder. So a row is also kept if its folder is empty, or if more than
    half of its root is missing.
    """
    absent = absent_disks(collection, roots)
    missing: dict[str, Path] = {}
    doubtful: set[str] = set()
    refusals: list[str] = []
    for root in roots:
        known = 0
        missing_here: dict[str, Path] = {}
        for path in map(decode_path, collection.scan_field("path", filters.in_folder(root))):
            if (id_ := image_id(path)) not in without:
                known += 1
                if is_missing(path):
                    missing_here[id_] = path
        missing |= missing_here
        for folder, ids in _doubtful_folders(root, known, missing_here, absent).items():
            if not force and not doubtful.issuperset(ids):
                doubtful |= ids
                refusals.append(
                    f"nothing removed under {folder}: {len(ids):,} images are missing at once, as "
                    "if a disk is not mounted; `clipsearch ingest --prune --force` removes them "
                    "anyway"
                )
    return MissingFiles([id_ for id_ in missing if id_ not in doubtful], refusals)


def is_suspicious(missing: int, known: int) -> bool:
    """Whether more than half of the known files are missing, and more than a few."""
    return 2 * missing > known and missing >= min(SUSPICIOUS, known)


def absent_disks(collection: Collection, roots: Sequence[Path]) -> list[Path]:
    """Return the mount points of disks at, below or above the roots that are not mounted now."""
    return [
        point
        for point in collection.info.mounts
        if any(point.is_relative_to(root) or root.is_relative_to(point) for root in roots)
        and point not in mounted_disks([point])
    ]


def count_gone(collection: Collection, roots: Sequence[Path], *, expected: int | None) -> int:
    """Count the rows under the roots whose file no longer exists.

    No file is examined if the roots have as many rows as `expected`, those of existing files.
    """
    given = set(roots)
    conditions = [filters.in_folder(root) for root in roots if given.isdisjoint(root.parents)]
    if sum(map(collection.count, conditions)) == expected:
        return 0
    return sum(
        is_missing(decode_path(path))
        for condition in conditions
        for path in collection.scan_field("path", condition)
    )


def forget_failures(
    collection: Collection, locations: Sequence[Path], failed: Sequence[Failure]
) -> None:
    """Remove stored failures at or under the locations, and those of files that no longer exist.

    Call this after a complete run over the locations; those that have `failed` again stay.
    """
    places, again = set(locations), {failure.path for failure in failed}
    collection.remove_failures(
        [
            failure.path
            for failure in collection.failures()
            if failure.path not in again
            and (
                not places.isdisjoint((failure.path, *failure.path.parents))
                or is_missing(failure.path)
            )
        ]
    )


def can_have_moved(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a file is missing although its disk is mounted: its folder or root has content."""
    return is_missing(path) and (
        _has_content(path.parent)
        or any(root in path.parents and _has_content(root) for root in roots)
    )


def _doubtful_folders(
    root: Path, known: int, missing: dict[str, Path], absent: Sequence[Path]
) -> dict[Path, set[str]]:
    """The ids of missing files by the folder that is or looks like a disk that is not mounted."""
    disks = {
        point: {id_ for id_, path in missing.items() if point in path.parents} for point in absent
    }
    return {point: ids for point, ids in disks.items() if ids} | _emptied_folders(
        root, known, missing
    )


def _emptied_folders(root: Path, known: int, missing: dict[str, Path]) -> dict[Path, set[str]]:
    """The ids of missing files by the folder that looks like an unmounted disk."""
    if is_suspicious(len(missing), known):
        return {root: set(missing)}
    folders: defaultdict[Path, set[str]] = defaultdict(set)
    for id_, path in missing.items():
        folders[next(parent for parent in path.parents if not is_missing(parent))].add(id_)
    return {
        folder: ids
        for folder, ids in folders.items()
        if len(ids) >= SUSPICIOUS and not _has_content(folder)
    }


def _has_content(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
