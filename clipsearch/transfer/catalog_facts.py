"""What the catalog knows of a collection beside its rows, copied to another one."""

from __future__ import annotations

from collections.abc import Sequence

from clipsearch.images.hashing import image_id
from clipsearch.store import Collection
from clipsearch.types import Failure


def copy_roots(source: Collection, target: Collection, *, delete: bool) -> None:
    """Add the folders and disks of the source; with `delete`, remove those that it lacks."""
    wanted, present = source.info, target.info
    if delete:
        old_roots = set(present.roots).difference(wanted.roots)
        old_mounts = set(present.mounts).difference(wanted.mounts)
        target.remove_roots(sorted(old_roots | old_mounts))
    target.add_roots(wanted.roots, wanted.mounts)


def copy_failures(source: Collection, target: Collection, *, delete: bool) -> None:
    """Add the failures of the source; with `delete`, remove those that it lacks.

    Without it, only those of files that are images by now are removed.
    """
    failures = source.failures()
    add_failures(target, failures)
    paths = {failure.path for failure in failures}
    old = {one.path: image_id(one.path) for one in target.failures() if one.path not in paths}
    if old and not delete:
        stored = target.file_states(list(old.values()))
        old = {path: id_ for path, id_ in old.items() if id_ in stored}
    target.remove_failures(list(old))


def add_failures(collection: Collection, failures: Sequence[Failure]) -> None:
    """Remember failures; those that are known are not written again."""
    known = set(collection.failures())
    collection.add_failures([failure for failure in failures if failure not in known])
