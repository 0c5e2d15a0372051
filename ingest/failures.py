"""Which files could not be stored, remembered until they can."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.store import Collection
from ingest.prune import is_gone


def forget_failures(collection: Collection, visited: Sequence[Path]) -> None:
    """Forget earlier failures at or under the visited paths, and those of files that are gone.

    For after a whole run over these paths, before its own failures are recorded: a file that still
    fails is recorded again.
    """
    places = set(visited)
    collection.clear_failures(
        [
            failure.path
            for failure in collection.failures()
            if not places.isdisjoint((failure.path, *failure.path.parents)) or is_gone(failure.path)
        ]
    )
