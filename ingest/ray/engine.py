"""Run an ingestion on Ray: the driver starts the job and counts what its workers have done."""

from clipsearch.batching import batches
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.store import Collection, Store
from clipsearch.transfer.outdated_texts import remove_outdated
from ingest.diff import Changes
from ingest.options import IngestOptions
from ingest.ray.bulk import ingest_in_bulk
from ingest.ray.job import Job, ModelChoice, ServerAddress
from ingest.ray.options import RayEngine
from ingest.ray.run_job import run_job
from ingest.ray.write import Sink
from ingest.report import IngestReport, Tally
from ingest.run import ingest_with
from ingest.sources.source import Source
from ingest.stat_lookup import StatTable

LOCAL_WRITE = 256
"""Rows that this process writes at once, as many as without Ray: a kill loses at most these."""


def ingest_on_ray(
    engine: RayEngine,
    store: Store,
    model: str | Encoder | None,
    runtime: Runtime,
    source: Source,
    collection: Collection,
    encoder: Encoder,
    options: IngestOptions,
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> IngestReport:
    """Do what `ingest` does, by workers of Ray.

    They write to a server themselves. To a local store, which one process at a time can open,
    this process writes what they have embedded. Raises RayError if Ray does not start or a worker
    fails for another reason than an image.
    """
    model_choice = ModelChoice.of(encoder, model, runtime)
    if engine.bulk is not None:
        return ingest_in_bulk(
            engine, store, model_choice, source, collection, options, progress, tally
        )
    server = ServerAddress.of(store)

    def run(changes: Changes, tally: Tally) -> None:
        job = Job(
            source=source,
            options=options,
            model=model_choice,
            failures=collection.failures(),
            server=server,
            collection=collection.info.name,
            stored=None if server else StatTable(collection.scan_file_stats()),
        )
        items = run_job(job, engine, source, tally, progress)
        if server is None:
            sink = Sink(collection, changes, looked_up=False)
            for batch in batches(items, LOCAL_WRITE):
                sink.write(batch, tally)
        else:
            for _ in items:
                pass
            # Workers do not: small sealed segments would each get an index of their own.
            store.backend.flush(collection.info.milvus_name)

    report = ingest_with(run, source, collection, options, progress, tally)
    remove_outdated(collection)  # workers do not know which rows describe earlier content
    collection.finish_writes()
    return report
