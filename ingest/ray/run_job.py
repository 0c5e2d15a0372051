"""Run a job on Ray, and count what its workers have done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipsearch.errors import ClipsearchError, describe_error
from clipsearch.files.progress import Progress
from clipsearch.types import Failure
from ingest.ray.cluster import RayError, cluster
from ingest.ray.dataset import build_dataset
from ingest.ray.items import Embedded, Item, Note, unpack
from ingest.ray.job import Job
from ingest.ray.options import RayEngine
from ingest.report import Tally
from ingest.sources.source import Source


def run_job(
    job: Job, engine: RayEngine, source: Source, tally: Tally, progress: Progress | None
) -> Iterator[Item]:
    """Yield the items that the last stage leaves to this process; see `ingest_on_ray` for errors.

    What workers have written is counted in `tally`, all that is done in `progress`.
    """
    with cluster(engine.address) as ray:
        dataset = build_dataset(ray, job, engine, _places(source))
        yield from _count(_items(ray, dataset), source, tally, progress)


def _places(source: Source) -> list[Path]:
    """The locations that tasks list, without those inside others."""
    places = list(dict.fromkeys(source.locations))
    given = set(places)
    return [place for place in places if given.isdisjoint(place.parents)]


def _items(ray: Any, dataset: Any) -> Iterator[Item]:
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
    items: Iterator[Item], source: Source, tally: Tally, progress: Progress | None
) -> Iterator[Item]:
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
