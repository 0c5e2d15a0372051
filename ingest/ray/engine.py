"""Run an ingestion on Ray: the driver starts the job and counts what its workers have done."""

from collections.abc import Iterator
from typing import Any

from clipsearch.batching import batches
from clipsearch.errors import ClipsearchError, describe_error
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.store import Collection, Store
from clipsearch.types import Failure
from ingest.diff import Changes
from ingest.options import IngestOptions
from ingest.ray.cluster import RayError, cluster
from ingest.ray.dataset import build_dataset
from ingest.ray.items import Embedded, Note, unpack
from ingest.ray.job import Job, ModelChoice, ServerAddress, roots_of
from ingest.ray.options import RayEngine
from ingest.ray.write import WRITE, Sink
from ingest.report import IngestReport, Tally
from ingest.run import ingest_with
from ingest.sources.source import Source
from ingest.stat_lookup import StatTable


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
    server = ServerAddress.of(store)

    def run(changes: Changes, tally: Tally) -> None:
        job = Job(
            source=source,
            options=options,
            model=ModelChoice.of(encoder, model, runtime),
            failures=collection.failures(),
            server=server,
            collection=collection.info.name,
            stored=None if server else StatTable(collection.scan_file_stats()),
        )
        with cluster(engine.address) as ray:
            dataset = build_dataset(ray, job, engine, roots_of(source))
            items = _count(_items(ray, dataset), source, tally, progress)
            if server is None:
                sink = Sink(collection, changes, looked_up=False)
                for batch in batches(items, WRITE):
                    sink.write(batch, tally)
            else:
                for _ in items:
                    pass
                # Workers do not: small sealed segments would each get an index of their own.
                store.backend.flush(collection.info.milvus_name)

    return ingest_with(run, source, collection, options, progress, tally)


def _items(ray: Any, dataset: Any) -> Iterator[Any]:
    """Run the job; yield its items. Translates errors of workers."""
    try:
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from unpack(table)
    except ray.exceptions.RayError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ClipsearchError):
            cause = getattr(cause, "cause", None) or cause.__cause__
        if cause is not None:
            raise cause from error
        raise RayError(f"a worker of Ray failed: {describe_error(error)}") from error


def _count(
    items: Iterator[Any], source: Source, tally: Tally, progress: Progress | None
) -> Iterator[Any]:
    """Pass items on; count what was done elsewhere, and advance the progress bar."""
    for item in items:
        done = 0
        match item:
            case Tally():
                tally.add(item)
                done = item.outcomes.total() + len(item.failed)
            case Note():
                if item.listing is not None:
                    item.listing.add_to(source)
                done = item.outcomes.total()
            case Embedded(files=files):
                done = len(files)
            case Failure():
                done = 1
        if progress is not None:
            progress.update(done)
        yield item
