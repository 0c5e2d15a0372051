"""Removing images from a collection without touching their files."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.files.paths import canonical, compose
from clipsearch.images.hashing import image_id
from clipsearch.query.spelling import images_at, stored_spellings
from clipsearch.store import Collection
from ingest.archives import forget_archives


def remove_images(collection: Collection, paths: Sequence[Path]) -> int:
    """Remove the images at some paths or under folders, stored or failed; return how many.

    The files need not exist any more. Names are equal in any Unicode form.
    """
    canonical_paths = [canonical(path) for path in paths]
    locations = [
        spelling for path in canonical_paths for spelling in stored_spellings(collection, path)
    ]
    conditions = [images_at(collection, path) for path in canonical_paths]
    ids = {image for condition in conditions for image in collection.scan_field("id", condition)}
    collection.delete(list(ids))
    forget_archives(collection, canonical_paths)
    roots = collection.info.roots
    collection.remove_roots([root for root in roots if _is_within(root, locations)])
    paths_failed = [failure.path for failure in collection.failures()]
    removed = [path for path in paths_failed if _is_within(path, locations)]
    collection.remove_failures(removed)
    collection.finish_writes()
    return len(ids | {image_id(path) for path in removed})


def _is_within(path: Path, locations: Sequence[Path]) -> bool:
    names = {compose(str(place)) for place in (path, *path.parents)}
    return any(compose(str(location)) in names for location in locations)
