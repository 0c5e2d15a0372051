"""Copy the texts that were read in the images of one collection to another."""

from __future__ import annotations

from clipsearch.batching import batches
from clipsearch.store import Collection, filters
from clipsearch.transfer.copy_rows import id_ranges

BATCH_ROWS = 256


def copy_texts(source: Collection, target: Collection) -> int:
    """Write the texts that the target lacks; return how many.

    Those are of images that the target has with the same content. Of two readers, that of the
    source wins.
    """
    if not source.texts.exist():
        return 0
    sent = 0
    for low, high in id_ranges(source.texts.count()):
        condition = filters.id_range(low, high)
        contents = dict(target.scan_values(["id", "content_hash"], condition))
        present = set(target.texts.scan_states(condition))
        missing = [
            state.id
            for state in source.texts.scan_states(condition)
            if contents.get(state.id) == state.content_hash and state not in present
        ]
        for batch in batches(missing, BATCH_ROWS):
            rows = list(source.texts.get(batch).values())
            target.texts.upsert(rows)
            sent += len(rows)
    if sent:
        target.texts.flush()
    return sent
