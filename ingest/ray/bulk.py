"""Ingestion by bulk import: workers write files, the server reads them into a new generation."""

import logging

from clipsearch.errors import StoreError, UsageError
from clipsearch.files.progress import Progress
from clipsearch.store import Collection, Store
from clipsearch.store.bulk_import import import_files
from clipsearch.store.milvus import MilvusBackend
from ingest.diff import Changes
from ingest.options import IngestOptions
from ingest.ray.bulk_duplicates import remove_duplicates
from ingest.ray.bulk_files import BulkFolder
from ingest.ray.job import BulkTarget, Job, ModelChoice
from ingest.ray.options import RayEngine
from ingest.ray.run_job import run_job
from ingest.report import IngestReport, Tally
from ingest.run import ingest_with
from ingest.sources.source import Source
from ingest.stat_lookup import StatTable

log = logging.getLogger("clipsearch")


def ingest_in_bulk(
    engine: RayEngine,
    store: Store,
    model: ModelChoice,
    source: Source,
    collection: Collection,
    options: IngestOptions,
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> IngestReport:
    """Write the rows of all images as files, and let the server import them in one go.

    The collection stays empty until all is there: the rows go to its next generation. A run that
    was interrupted continues with the files that it left. Raises UsageError if the collection has
    rows or the store is local, and StoreError if the server does not import the files.
    """
    backend = store.backend
    if not isinstance(backend, MilvusBackend) or store.is_local:
        raise UsageError(
            "--bulk is for a Milvus server, which imports the files itself: leave it out, or name "
            "a server with --uri"
        )
    if collection.count():
        raise UsageError(
            f"the collection {collection.info.name!r} has images, and --bulk fills new ones only: "
            "leave it out to add to this one, or choose another --collection"
        )
    assert engine.bulk is not None
    folder = BulkFolder(engine.bulk)
    folder.create()
    generations = store.generations(collection.info.name)
    generations.drop_next()  # an import that was interrupted may have left rows in it
    following = generations.begin(model.identity)
    info = following.info

    def run(_changes: Changes, tally: Tally) -> None:
        job = Job(
            source=source,
            options=options,
            model=model,
            failures=[],
            server=None,
            collection=info.name,
            stored=StatTable(folder.stats()),
            bulk=BulkTarget(folder, info.schema_version, folder.next_run()),
        )
        for _ in run_job(job, engine, source, tally, progress):
            pass
        if doubled := remove_duplicates(folder):
            log.info("%s rows of files that were read again were removed", f"{doubled:,}")
        names = folder.server_paths()
        log.info("the server imports %s files from %s", f"{len(names):,}", folder.location)
        if names:
            import_files(backend, info.milvus_name, names)

    report = ingest_with(run, source, following, options, progress, tally)
    expected, imported = folder.count_rows(), following.count()
    if imported != expected:
        raise StoreError(
            f"the server imported {imported:,} rows of {expected:,}: run the command again"
        )
    generations.switch(following)
    generations.drop_previous()
    return report
