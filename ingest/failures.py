"""Which files could not be stored, remembered until they can."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.identity import photo_id
from clipsearch.store import Collection, Failure
from ingest.prune import is_gone


def update_failures(
    collection: Collection, failed: Sequence[Failure], roots: Sequence[Path]
) -> None:
    """Remember the failures of a run over some roots; forget those that it has settled.

    A failure is settled when its file is stored or gone, or when it is a folder of these roots that
    could be read this time.
    """
    earlier = {failure.path for failure in collection.failures()} - {f.path for f in failed}
    stored = collection.stamps([photo_id(path) for path in earlier])

    def settled(path: Path) -> bool:
        visited = any(root == path or root in path.parents for root in roots)
        return photo_id(path) in stored or is_gone(path) or (visited and path.is_dir())

    collection.clear_failures([path for path in earlier if settled(path)])
    collection.record_failures(failed)
