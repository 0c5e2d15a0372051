"""The stages as a dataset of Ray Data, which runs them at once with bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clipsearch.batching import batches
from ingest.ray.bulk_files import rows_per_file
from ingest.ray.encode import encode_images
from ingest.ray.items import Item, Note, pack, unpack
from ingest.ray.job import Job
from ingest.ray.load import list_files, load_files
from ingest.ray.options import RayEngine
from ingest.ray.worker import worker_of
from ingest.ray.write import Sink, write_file
from ingest.report import Tally

GROUP = 256
"""Files of one task: enough to share one lookup in the store, few enough to be done in seconds."""

LISTERS = 256
"""Tasks that list files at most, each with an equal part of the places."""

BLOCK_BYTES = 16 << 20
"""Of images between two stages. By default Ray collects eight times as many before the next stage
gets any."""

LIGHT = 0.05
"""The cores of a task that waits for a disk or for the store."""

ALMOST_ONE = 0.99
"""The cores of a task that decodes. With as many as the encoder has, Ray would fuse both stages,
and images would be decoded one by one in the process of the model."""


def build_dataset(ray: Any, job: Job, engine: RayEngine, places: Sequence[Path]) -> Any:
    """Return the dataset of what becomes of the files in some places; nothing runs yet.

    Its rows are items: those for the driver to write, or a Tally of each write of a worker.
    """
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = BLOCK_BYTES
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    # A list, as Ray would replace a reference that is an argument itself.
    reference = {"job": [ray.put(job)]}
    tables: dict[str, Any] = {"batch_format": "pyarrow", "zero_copy_batch": True}
    parts = [pack(part) for part in batches(places, 1 + len(places) // LISTERS)]
    listed = (
        ray.data.from_arrow(parts)
        .map_batches(
            _list,
            fn_kwargs=reference,
            batch_size=1,
            num_cpus=LIGHT,
            **tables,
        )
        .repartition(target_num_rows_per_block=GROUP)
    )
    loaded = listed.map_batches(
        _load, fn_kwargs=reference, batch_size=None, num_cpus=ALMOST_ONE, **tables
    )
    gpus = _gpus(ray, engine)
    encoded = loaded.map_batches(
        _Encode,
        fn_constructor_kwargs=reference,
        batch_size=engine.batch,
        compute=_pool(ray, engine, gpus),
        num_gpus=gpus,
        **tables,
    )
    if job.bulk is not None:
        rows = rows_per_file(job.model.identity.dim)
        return encoded.repartition(target_num_rows_per_block=rows).map_batches(
            _write_file, fn_kwargs=reference, batch_size=None, num_cpus=LIGHT, **tables
        )
    if job.server is None:
        return encoded
    return encoded.map_batches(
        _write, fn_kwargs=reference, batch_size=4 * GROUP, num_cpus=LIGHT, **tables
    )


def _gpus(ray: Any, engine: RayEngine) -> float:
    if engine.gpus is not None:
        return engine.gpus
    return 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0


def _pool(ray: Any, engine: RayEngine, gpus: float) -> Any:
    """One encoder to begin with, and more while they are the slowest stage."""
    if engine.encoders is not None:
        return ray.data.ActorPoolStrategy(size=engine.encoders)
    resources = ray.cluster_resources()
    most = resources.get("GPU", 0) // gpus if gpus else resources.get("CPU", 1) - 1
    return ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, int(most)))


def _list(table: Any, *, job: list[Any]) -> Iterator[Any]:
    worker = worker_of(job)
    yield from _tables(list_files(worker.job, list(unpack(table))))


def _load(table: Any, *, job: list[Any]) -> Iterator[Any]:
    yield from _tables(load_files(worker_of(job), list(unpack(table))))


class _Encode:
    """An actor with the model."""

    def __init__(self, job: list[Any]) -> None:
        self._worker = worker_of(job)  # loads the model with the first image

    def __call__(self, table: Any) -> Any:
        return pack(encode_images(self._worker, list(unpack(table))))


def _write(table: Any, *, job: list[Any]) -> Any:
    worker = worker_of(job)
    assert worker.collection is not None
    tally = Tally()
    sink = Sink(worker.collection, worker.changes.of((), tally), looked_up=True)
    items = list(unpack(table))
    sink.write(items, tally)
    return _summary(items, tally)


def _write_file(table: Any, *, job: list[Any]) -> Any:
    target = worker_of(job).job.bulk
    assert target is not None
    items, tally = list(unpack(table)), Tally()
    write_file(items, target, tally)
    return _summary(items, tally)


def _summary(items: Sequence[Item], tally: Tally) -> Any:
    """Return what the driver is to know of items that were written."""
    return pack([tally, *(item for item in items if isinstance(item, Note) and item.listing)])


def _tables(items: Iterable[Any]) -> Iterator[Any]:
    """Pass items on in small tables: the next stage need not wait for the last one."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) >= GROUP:
            yield pack(batch)
            batch = []
    if batch:
        yield pack(batch)
