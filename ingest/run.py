"""One ingestion from beginning to end, whatever makes the rows: roots, failures, prune, report."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from clipsearch.files.disks import mounted_disks
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from ingest.archives import note_metadata, recall_archives, record_archives
from ingest.diff import Changes
from ingest.missing_images import find_missing_images
from ingest.options import IngestOptions
from ingest.prune import absent_disks, count_gone, forget_failures
from ingest.report import IngestReport, Tally
from ingest.sources.source import Source

log = logging.getLogger("clipsearch")

Run: TypeAlias = Callable[[Changes, Tally], None]
"""Stores the files that changed, and counts them."""


def ingest_with(
    run: Run,
    source: Source,
    collection: Collection,
    options: IngestOptions,
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> IngestReport:
    """Let `run` store the images of a source that are new or changed; see `pipeline.ingest`."""
    tally, started = Tally() if tally is None else tally, time.monotonic()
    changes = Changes(source, collection, options, tally, progress)
    recall_archives(source, collection, changes.failures, options)
    if progress is not None:
        _count_in_background(source, progress)
    if options.force:
        collection.remove_roots(absent_disks(collection, source.roots))
    collection.add_roots(source.roots, list(mounted_disks(source.roots)))
    try:
        run(changes, tally)
        forget_failures(collection, source.locations, tally.failed)
    except BaseException:
        stored = tally.outcomes["stored"]
        log.warning("stopped with %s stored; the next run continues from there", f"{stored:,}")
        try:
            _finish(collection, changes, tally)
        except Exception as error:  # noqa: BLE001 - the first exception must reach the caller
            log.warning("the interrupted ingestion could not be completed: %s", error)
        raise
    _finish(collection, changes, tally)
    record_archives(source, collection, changes.failures, tally.failed)
    if options.prune:
        missing = find_missing_images(collection, source, force=options.force)
        collection.delete(missing.ids)
        collection.archives.remove(missing.archives)
        tally.removed, tally.refused = len(missing.ids), missing.refusals
        collection.finish_writes()
    else:
        only_folders = len(source.roots) == len(source.locations)
        existing = tally.outcomes.total() if only_folders else None
        tally.gone = count_gone(collection, source.roots, expected=existing)
    note_metadata(source, collection, tally)
    return tally.report(skipped=source.skipped, seconds=time.monotonic() - started, dry_run=False)


def _finish(collection: Collection, changes: Changes, tally: Tally) -> None:
    """Record the new failures and let the store finish its writes."""
    collection.add_failures(changes.failures.new(tally.failed))
    collection.finish_writes()


def _count_in_background(source: Source, progress: Progress) -> None:
    """Set the total of a progress bar when the files are counted, without waiting for it."""

    def set_total() -> None:
        progress.total = source.count()

    threading.Thread(target=set_total, name="count", daemon=True).start()
