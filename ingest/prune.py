"""Rows of files that are gone, and when to doubt it."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from clipsearch.store import Collection
from clipsearch.store import filters as where

SUSPICIOUS = 10  # so many missing files at once are no longer somebody tidying up


@dataclass(frozen=True, slots=True)
class Gone:
    """The ids of a root's rows whose files are gone, of `known` rows in all."""

    root: Path
    ids: tuple[str, ...]
    known: int

    @property
    def refusal(self) -> str:
        """Why it would be rash to remove them, or "": an unmounted disk looks like an empty folder."""
        missing = len(self.ids)
        if 2 * missing > self.known and (missing >= SUSPICIOUS or missing == self.known):
            return (
                f"nothing removed: {missing:,} of the {self.known:,} pictures under {self.root} are gone, "
                "which looks like a disk that is not mounted; --force removes them all the same"
            )
        return ""


def find_gone(collection: Collection, root: Path, *, without: Set[str] = frozenset()) -> Gone:
    """Every row under a root whose file does not exist any more, but for the ids in `without`.

    A file that only cannot be seen (a folder without permission) is not gone.
    """
    known = 0
    ids: list[str] = []
    for photo in collection.scan(where.under(root)):
        if photo.id in without:
            continue
        known += 1
        if is_gone(photo.path):
            ids.append(photo.id)
    return Gone(root, tuple(ids), known)


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
    """Whether a missing file was moved rather than its disk unplugged: the place it left is still there."""
    return is_gone(path) and (path.parent.is_dir() or any(root in path.parents for root in roots))
