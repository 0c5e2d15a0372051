"""Show what an ingestion would change, without writing."""

import time

from clipsearch.batching import batches
from clipsearch.files.load import HashedFile
from clipsearch.files.pool import Pool
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.types import Failure
from ingest.archives import note_metadata, recall_archives
from ingest.diff import LOOKUP, Changes
from ingest.missing_images import find_missing_images
from ingest.options import IngestOptions
from ingest.report import IngestReport, Tally
from ingest.sources.source import Source


def preview(
    source: Source,
    collection: Collection | None,
    options: IngestOptions,
    progress: Progress | None = None,
) -> IngestReport:
    """Return the report that `ingest` would give, as far as it is known without decoding.

    A collection of None does not exist yet.
    """
    tally, started = Tally(), time.monotonic()
    changes = Changes(source, collection, options, tally, progress)
    recall_archives(source, collection, changes.failures, options)
    seen: set[str] = set()
    moved: set[str] = set()
    with Pool() as pool:
        for group in batches(changes.hashed(pool), LOOKUP):
            files = []
            for item in group:
                if isinstance(item, Failure):
                    changes.fail(item)
                else:
                    files.append(item)
            moved |= _count(files, changes, tally, seen)
    if options.prune and collection is not None:
        missing = find_missing_images(collection, source, without=moved, force=options.force)
        tally.removed, tally.refused = len(missing.ids), missing.refusals
    note_metadata(source, collection, tally)
    return tally.report(skipped=source.skipped, seconds=time.monotonic() - started, dry_run=True)


def _count(files: list[HashedFile], changes: Changes, tally: Tally, seen: set[str]) -> set[str]:
    """Count each file's outcome; return the ids of rows whose files moved."""
    moved = set()
    copies = changes.stored_copies(files)
    for file in files:
        if copies[file.content_hash] or file.content_hash in seen:
            outcome, old_id = changes.classify(file, copies[file.content_hash])
            tally.outcomes[outcome] += 1
            if old_id:
                moved.add(old_id)
        else:
            seen.add(file.content_hash)
            tally.outcomes["stored"] += 1
        changes.advance()
    return moved
