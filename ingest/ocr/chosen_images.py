"""The images of a collection that some paths name."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.files.paths import canonical
from clipsearch.images.hashing import image_id
from clipsearch.query.spelling import images_at
from clipsearch.store import Collection, filters
from clipsearch.store.paging import KEYS
from clipsearch.store.schema import ID_LENGTH

CONDITIONS = 16
"""Folders of one filter: Milvus Lite refuses some thousands."""


@dataclass(frozen=True, slots=True)
class ChosenImages:
    """Images by their sorted ids, and those that match a condition; all if there are neither.

    A list of files may be long, so only folders and the like are conditions.
    """

    ids: Sequence[str] = ()
    conditions: Sequence[str] = ()
    is_all: bool = True

    def contents(self, collection: Collection, low: int, high: int) -> dict[str, str]:
        """Return the content hashes of the images with low <= id < high, by id."""
        in_range = filters.id_range(low, high)
        within = [in_range] if self.is_all else []
        for part in batches(self.conditions, CONDITIONS):
            within.append(filters.all_of(filters.any_of(*part), in_range))
        start = bisect_left(self.ids, f"{low:0{ID_LENGTH}x}")
        end = bisect_right(self.ids, f"{high - 1:0{ID_LENGTH}x}")
        within += map(filters.id_in, batches(self.ids[start:end], KEYS))
        contents: dict[str, str] = {}
        for condition in within:
            contents |= dict(collection.scan_values(["id", "content_hash"], condition))
        return contents


def choose_images(collection: Collection, paths: Sequence[Path], *, strict: bool) -> ChosenImages:
    """Find the images at or below some paths, or all without any.

    Raises UsageError if `strict` and no image is at a path.
    """
    by_id = {image_id(path): path for path in map(canonical, paths)}
    ids: list[str] = []
    for batch in batches(by_id, KEYS):
        ids += collection.scan_field("id", filters.id_in(batch))
    conditions: list[str] = []
    for id_ in ids:
        del by_id[id_]
    for path in by_id.values():
        condition = images_at(collection, path)
        if collection.count(condition):
            conditions.append(condition)
        elif strict:
            raise UsageError(f"no image of the collection is at {path}: ingest it first")
    return ChosenImages(sorted(ids), conditions, is_all=not paths)
