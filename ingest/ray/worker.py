"""Worker: a process of Ray with what it has opened for a job."""

from functools import cached_property
from typing import Any, cast

from clipsearch import __version__, cpu
from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.images.memory import default_limit, set_max_memory
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import make_room_for_decoding
from clipsearch.models.preprocess import PreprocessedInput
from clipsearch.store import Collection, Store
from ingest.diff import Changes
from ingest.known_failures import KnownFailures
from ingest.ray.job import Job
from ingest.report import Tally
from ingest.stat_lookup import StatLookup


class Worker:
    """A process of Ray with what it has opened for a job."""

    def __init__(self, job: Job) -> None:
        """Use one core of this machine. Raises UsageError if another version runs here."""
        if job.version != __version__:
            raise UsageError(
                f"a worker has clipsearch {__version__}, and this machine {job.version}: install "
                "the same version everywhere"
            )
        self.job = job
        set_max_memory(default_limit() // cpu.available())  # of which each has a worker
        cpu.limit(1)

    @cached_property
    def collection(self) -> Collection | None:
        """The collection on the server; None if only the driver can reach it."""
        server = self.job.server
        if server is None:
            return None
        store = Store.open(server.uri, token=server.token, create=False)
        return store.collection(self.job.collection)

    @cached_property
    def changes(self) -> Changes:
        """Compares files with the collection; `Changes.of` does so for a batch."""
        return Changes(
            self.job.source,
            self.collection,
            self.job.options,
            Tally(),
            states=StatLookup(self.collection, self.job.stored),
            failures=KnownFailures(self.job.failures, limits=(self.job.options.max_pixels,)),
        )

    @cached_property
    def preprocessor(self) -> Encoder:
        """An encoder that is only good for `preprocess` and `input_size`."""
        if self.job.model.preprocessing is None:
            return self._load()
        result = PreprocessedInput()
        result.preprocessing = self.job.model.preprocessing
        return cast("Encoder", result)

    @cached_property
    def encoder(self) -> Encoder:
        """The model; raises ModelMismatchError if this machine has other weights of that name."""
        encoder = self._load()
        expected = self.job.model.identity
        if not encoder.identity.is_comparable(expected):
            raise ModelMismatchError(
                f"a worker has other weights or preprocessing of {expected.name} than the "
                "collection was made with: copy the model to every machine"
            )
        make_room_for_decoding(encoder)
        return encoder

    def _load(self) -> Encoder:
        model = self.job.model
        if isinstance(model.model, str):
            return registry.load(model.model, model.runtime)
        return model.model


_workers: dict[str, Worker] = {}


def worker_of(reference: Any) -> Worker:
    """Return this process's Worker for the job behind a reference of Ray, made at the first call.

    A reference is passed instead of the job, as Ray may show the arguments of a stage.
    """
    import ray

    key = reference[0].hex()
    if key not in _workers:
        _workers.clear()  # processes are used again; their former jobs have ended
        _workers[key] = Worker(ray.get(reference[0]))
    return _workers[key]
