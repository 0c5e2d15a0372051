"""What an ingestion would do."""

import time
from collections.abc import Sequence
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.files.discover import find, roots
from clipsearch.files.pool import Pool
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from ingest.diff import LOOKUP, Changes
from ingest.pipeline import IngestOptions
from ingest.prune import find_gone
from ingest.report import IngestReport, Tally


def preview(
    paths: Sequence[Path],
    collection: Collection | None,
    options: IngestOptions,
    progress: Progress | None = None,
) -> IngestReport:
    """The report that `ingest` would give, as far as that shows without decoding; writes nothing.

    A collection of None is one that does not exist yet.
    """
    tally, started = Tally(), time.monotonic()
    files = find(paths, options.selection, strict=options.strict)
    changes = Changes(files, roots(paths), collection, tally, progress)
    seen: set[str] = set()
    moved: set[str] = set()
    with Pool() as pool:
        for group in batches(changes.identified(pool), LOOKUP):
            known = changes.known_content(group)
            for item in group:
                if known[item.content_hash] or item.content_hash in seen:
                    if old := changes.reuse(item, known[item.content_hash]):
                        moved.add(old)
                else:
                    seen.add(item.content_hash)
                    tally.stored += 1
                    changes.advance()
    if options.prune and collection is not None:
        gone = find_gone(collection, changes.roots, without=moved, force=options.force)
        tally.removed, tally.refused = len(gone.ids), gone.refusals
    return tally.report(seconds=time.monotonic() - started, dry_run=True)
