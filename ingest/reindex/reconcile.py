"""Make a new generation hold the ids and tags of the old one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, filters
from clipsearch.store.schema import TAGS, decode_path, record_fields
from clipsearch.transfer.copy_rows import id_ranges
from ingest.pipeline import WRITE


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many rows the new generation has, and the paths of those of the old one it lacks."""

    rows: int
    lacking: Sequence[Path]


def reconcile(old: Collection, new: Collection) -> Reconciled:
    """Delete rows that only `new` has, and carry tags over.

    Rows are deleted from the old generation, and tagged, while the new one is built. Images that
    only the new model could embed stay.
    """
    rows = 0
    failed_before = {image_id(failure.path) for failure in old.failures()}
    lacking: list[Path] = []
    has_tags = TAGS in record_fields(old.info.schema_version)
    for low, high in id_ranges(max(old.count(), new.count())):
        condition = filters.id_range(low, high)
        before = _tags(old, condition, has_tags=has_tags)
        after = _tags(new, condition, has_tags=has_tags)
        extra = after.keys() - before.keys() - failed_before
        new.delete(sorted(extra))
        rows += len(after) - len(extra)
        lacking += _paths(old, [id_ for id_ in before if id_ not in after])
        changed = {id_: tags for id_, tags in before.items() if after.get(id_, tags) != tags}
        for batch in batches(list(changed), WRITE):
            tagged = [
                replace(row, record=replace(row.record, tags=changed[id_]))
                for id_, row in new.get(batch).items()
            ]
            new.upsert(tagged)
    return Reconciled(rows, sorted(lacking))


def copy_archives(old: Collection, new: Collection, lacking: Sequence[Path]) -> None:
    """Let the next ingestion skip the archives whose images `new` has, or fail as in `old`."""
    failed = {failure.path for failure in old.failures()}
    different = {*lacking, *failed.symmetric_difference(f.path for f in new.failures())}
    incomplete = {place for path in different for place in path.parents}
    archives = {p: state for p, state in old.archives.read().items() if p not in incomplete}
    new.archives.retain(archives)
    new.archives.write(archives)


def _tags(collection: Collection, condition: str, *, has_tags: bool) -> dict[str, tuple[str, ...]]:
    """Return the ids in a range with their tags, or without any."""
    if not has_tags:
        return {id_: () for (id_,) in collection.scan_values(["id"], condition)}
    values = collection.scan_values(["id", TAGS], condition)
    return {id_: tuple(map(str, tags)) for id_, tags in values}


def _paths(collection: Collection, ids: Sequence[str]) -> Iterator[Path]:
    for batch in batches(ids, WRITE):
        for _, path in collection.scan_values(["id", "path"], filters.id_in(batch)):
            yield decode_path(path)
