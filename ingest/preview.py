"""What an ingestion would do."""

import time
from collections.abc import Sequence
from pathlib import Path

from clipsearch.batches import batches
from clipsearch.store import Collection
from ingest.changes import LOOKUP, Changes, Progress
from ingest.pipeline import Options
from ingest.prune import find_gone
from ingest.report import Report, Tally
from ingest.workers import pool


def preview(
    paths: Sequence[Path],
    collection: Collection | None,
    options: Options,
    progress: Progress | None = None,
) -> Report:
    """The report that `ingest` would give, as far as that shows without decoding; writes nothing.

    A collection of None is one that does not exist yet.
    """
    tally, started = Tally(), time.monotonic()
    changes = Changes(paths, collection, options.selection, tally, progress)
    seen: set[str] = set()
    moved: set[str] = set()
    with pool() as executor:
        for group in batches(changes.identified(executor), LOOKUP):
            known = changes.known_content(group)
            for item in group:
                if known[item.content_hash] or item.content_hash in seen:
                    if old := changes.reuse(item, known[item.content_hash]).replaces:
                        moved.add(old)
                else:
                    seen.add(item.content_hash)
                    tally.stored += 1
                    changes.advance()
    if options.prune and collection is not None:
        for gone in (find_gone(collection, root, without=moved) for root in changes.roots):
            if gone.refusal and not options.force:
                tally.refused.append(gone.refusal)
            else:
                tally.removed += len(gone.ids)
    return tally.report(seconds=time.monotonic() - started, dry_run=True)
