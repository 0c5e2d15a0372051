"""Rows of files that are gone, and when to doubt it."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from clipsearch.store import Collection
from clipsearch.store import filters as where

SUSPICIOUS = 10  # so many missing files at once are no longer somebody tidying up


@dataclass(frozen=True, slots=True)
class Gone:
    """The ids of rows to remove, and why others whose files seem gone are kept."""

    ids: list[str]
    refusals: list[str]


def find_gone(
    collection: Collection,
    roots: Sequence[Path],
    *,
    without: Set[str] = frozenset(),
    force: bool = False,
) -> Gone:
    """Every row under the roots whose file does not exist any more, but for the ids in `without`.

    A file that only cannot be seen (a folder without permission) is not gone. A disk that is not
    mounted looks like an empty folder: so nothing is removed, unless by `force`, that was under a
    folder which is empty now, or under a root of which more than half is gone.
    """
    gone: dict[str, Path] = {}
    doubted: set[str] = set()
    refusals: list[str] = []
    for root in roots:
        known = 0
        missing: dict[str, Path] = {}
        for record in collection.scan(where.under(root)):
            if record.id not in without:
                known += 1
                if is_gone(record.path):
                    missing[record.id] = record.path
        gone |= missing
        for folder, ids in _emptied(root, known, missing).items():
            if not force and not doubted.issuperset(ids):
                doubted |= ids
                refusals.append(
                    f"nothing removed under {folder}: {len(ids):,} pictures are gone at once, which "
                    "looks like a disk that is not mounted; --force removes them all the same"
                )
    return Gone([id_ for id_ in gone if id_ not in doubted], refusals)


def is_gone(path: Path) -> bool:
    """Whether nothing is at that path; False where that cannot be known."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def can_have_moved(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a missing file was moved, rather than its disk unplugged: what was around it is there."""
    return is_gone(path) and (
        _holds_something(path.parent)
        or any(root in path.parents and _holds_something(root) for root in roots)
    )


def _emptied(root: Path, known: int, missing: dict[str, Path]) -> dict[Path, set[str]]:
    """The ids of missing files by the folder that looks like an unmounted disk."""
    few = len(missing) < min(SUSPICIOUS, known)
    if 2 * len(missing) > known and not few:
        return {root: set(missing)}
    folders: defaultdict[Path, set[str]] = defaultdict(set)
    for id_, path in missing.items():
        folders[next(parent for parent in path.parents if not is_gone(parent))].add(id_)
    return {
        folder: ids
        for folder, ids in folders.items()
        if len(ids) >= SUSPICIOUS and not _holds_something(folder)
    }


def _holds_something(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
