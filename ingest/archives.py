"""What a collection remembers of archives, and what an ingestion says about their metadata."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from clipsearch.store import Collection
from clipsearch.store.schema import METADATA, record_fields
from clipsearch.types import Failure
from ingest.known_failures import KnownFailures
from ingest.options import IngestOptions
from ingest.report import Tally
from ingest.sources.source import Source, Sources

log = logging.getLogger("clipsearch")


def recall_archives(
    source: Source, collection: Collection | None, failures: KnownFailures, options: IngestOptions
) -> None:
    """Let a source skip the archives that are as they were when they were read to their end.

    Those with failures are read again if the failures may have gone.
    """
    if not isinstance(source, Sources) or collection is None or options.rehash:
        return
    for path, state in collection.archives.read().items():
        if state.conditions in ("", failures.conditions):
            source.known[path] = state


def record_archives(
    source: Source, collection: Collection, failures: KnownFailures, failed: Iterable[Failure]
) -> None:
    """Remember the archives that were read to their end, once their rows are written.

    Those with a failure that may go by itself are forgotten.
    """
    if not isinstance(source, Sources) or not source.archives:
        return
    passing: set[Path] = set()
    lasting: set[Path] = set()
    for failure in failed:
        (lasting if failure.kind == "invalid" else passing).update(failure.path.parents)
    states = {path: state for path, state in source.complete.items() if path not in passing}
    collection.archives.remove([path for path in source.archives if path not in states])
    collection.archives.write(
        {
            path: replace(state, conditions=failures.conditions if path in lasting else "")
            for path, state in states.items()
        }
    )


def forget_archives(collection: Collection, places: Iterable[Path]) -> None:
    """Let the archives at, above or below some places be read again."""
    given = list(places)
    collection.archives.remove(
        [
            archive
            for archive in collection.archives.read()
            if any(archive.is_relative_to(p) or p.is_relative_to(archive) for p in given)
        ]
    )


def note_metadata(source: Source, collection: Collection | None, tally: Tally) -> None:
    """Count metadata that was cut, and warn if a collection of an older version stores none."""
    if not isinstance(source, Sources):
        return
    found = source.metadata
    tally.metadata_cut, tally.first_cut = found.cut, found.first_cut
    if collection is None or METADATA in record_fields(collection.info.schema_version):
        return
    if found.images:
        log.warning(
            "the metadata of %s images is not stored, as the collection %r was made by an older "
            "version: `clipsearch reindex` adds the field, and then `clipsearch ingest --rehash` "
            "the metadata",
            f"{found.images:,}",
            collection.info.name,
        )
