"""Labels written into a collection, so that queries can filter by them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from clipsearch.batching import batches
from clipsearch.classify.predictions import Classifier, check_top_and_threshold, classify_rows
from clipsearch.errors import StoreError
from clipsearch.query.filters import NO_FILTERS, Filters, select_rows
from clipsearch.store import Collection
from clipsearch.store.schema import MAX_TAGS
from clipsearch.types import ImageRow

WRITE = 2_000  # rows a write

DEFAULT_THRESHOLD = 0.5
"""A label more probable than all others together."""


@dataclass(frozen=True, slots=True)
class TagReport:
    """What tagging did: how many photos got each label, how many got none, how many rows changed."""

    counts: Mapping[str, int] = field(default_factory=dict)
    untagged: int = 0
    changed: int = 0


def tag_images(
    collection: Collection,
    classifier: Classifier,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    add: bool = False,
    filters: Filters = NO_FILTERS,
) -> TagReport:
    """Give each photo that `filters` let through its label as a tag, or none where it is below `threshold`.

    All earlier tags of those photos go; with `add` only those that are labels of this run. Only rows
    that change are written. Raises StoreError on a collection from before there were tags.
    """
    collection.require_tags()
    check_top_and_threshold(top=None, threshold=threshold)
    counts = Counter(dict.fromkeys(classifier.labels, 0))
    none = changed = 0
    for batch in batches(select_rows(collection, filters), WRITE):
        found = classify_rows(batch, classifier, top=1, threshold=threshold)
        rows = []
        for row, one in zip(batch, found, strict=True):
            if one.label is None:
                none += 1
            else:
                counts[one.label] += 1
            new = (one.label,) if one.label is not None else ()
            old = [
                tag_images
                for tag_images in row.record.tags
                if add and tag_images not in classifier.labels
            ]
            rows.append((row, (*old, *new)))
        changed += _write(collection, rows)
    collection.settle()
    return TagReport(dict(counts), none, changed)


def clear_tags(collection: Collection, *, filters: Filters = NO_FILTERS) -> int:
    """Take all tags from the photos that `filters` let through; how many had any."""
    collection.require_tags()
    changed = 0
    for batch in batches(select_rows(collection, filters), WRITE):
        changed += _write(collection, [(row, ()) for row in batch])
    collection.settle()
    return changed


def _write(collection: Collection, rows: list[tuple[ImageRow, tuple[str, ...]]]) -> int:
    """Write those rows whose tags are not as they should be; how many."""
    changed = list(_changed(rows))
    if changed:
        collection.upsert(changed)
    return len(changed)


def _changed(rows: list[tuple[ImageRow, tuple[str, ...]]]) -> Iterator[ImageRow]:
    for row, tags in rows:
        if len(tags) > MAX_TAGS:
            raise StoreError(f"{row.record.path}: a picture has at most {MAX_TAGS} tags")
        if tags != row.record.tags:
            yield replace(row, record=replace(row.record, tags=tags))
