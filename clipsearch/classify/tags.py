"""Tags: labels written to the records of a collection, so that queries can filter by them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from clipsearch.batching import batches
from clipsearch.classify.predictions import Classifier, check_top_and_threshold, classify_rows
from clipsearch.errors import StoreError
from clipsearch.query.condition import select_rows
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.store import Collection
from clipsearch.store.schema import MAX_TAGS, TAGS
from clipsearch.types import ImageRow

WRITE_ROWS = 2_000  # rows per write

DEFAULT_THRESHOLD = 0.5
"""Such a label is more probable than all others together."""


@dataclass(frozen=True, slots=True)
class TagReport:
    """How many images got each label, how many got none, and how many rows changed."""

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
    """Tag each image that passes the filters with its label, if it is probable enough.

    Removes all earlier tags of those images; with `add`, only those that are labels of the
    classifier. Writes only rows that change. Raises StoreError if the collection was created by a
    version without tags.
    """
    collection.require_fields([TAGS])
    check_top_and_threshold(top=None, threshold=threshold)
    counts = Counter(dict.fromkeys(classifier.labels, 0))
    untagged = changed = 0
    for batch in batches(select_rows(collection, filters), WRITE_ROWS):
        tagged = []
        classifications = classify_rows(batch, classifier, top=1, threshold=threshold)
        for row, classification in zip(batch, classifications, strict=True):
            label = classification.label
            if label is None:
                untagged += 1
                new: tuple[str, ...] = ()
            else:
                counts[label] += 1
                new = (label,)
            retained = [tag for tag in row.record.tags if add and tag not in classifier.labels]
            tagged.append((row, (*retained, *new)))
        changed += _write_changed(collection, tagged)
    collection.finish_writes()
    return TagReport(dict(counts), untagged, changed)


def clear_tags(collection: Collection, *, filters: Filters = NO_FILTERS) -> int:
    """Remove all tags from the images that pass the filters; return how many had tags."""
    collection.require_fields([TAGS])
    changed = 0
    for batch in batches(select_rows(collection, filters), WRITE_ROWS):
        changed += _write_changed(collection, [(row, ()) for row in batch])
    collection.finish_writes()
    return changed


def _write_changed(
    collection: Collection, tagged: Iterable[tuple[ImageRow, tuple[str, ...]]]
) -> int:
    """Write the rows whose tags differ from the given ones; return how many."""
    rows = list(_changed_rows(tagged))
    if rows:
        collection.upsert(rows, changed=[TAGS])
    return len(rows)


def _changed_rows(tagged: Iterable[tuple[ImageRow, tuple[str, ...]]]) -> Iterator[ImageRow]:
    for row, tags in tagged:
        if len(tags) > MAX_TAGS:
            raise StoreError(f"{row.record.path}: an image can have at most {MAX_TAGS} tags")
        if tags != row.record.tags:
            yield replace(row, record=replace(row.record, tags=tags))
