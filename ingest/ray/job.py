"""What every worker needs to know of an ingestion, and what it opens once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

from clipsearch import __version__, cpu
from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.images.memory import default_limit, set_max_memory
from clipsearch.models import registry
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import make_room_for_decoding
from clipsearch.models.preprocess import PreprocessedInput, Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.store import Collection, Store
from clipsearch.store.milvus import MilvusBackend
from clipsearch.types import Failure
from ingest.diff import Changes
from ingest.known_failures import KnownFailures
from ingest.options import IngestOptions
from ingest.ray.bulk_files import BulkFolder
from ingest.report import Tally
from ingest.sources.source import Source
from ingest.stat_lookup import StatLookup, StatTable


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where workers find the collection. Neither field is ever shown: a URI may hold a password."""

    uri: str = field(repr=False)
    token: str | None = field(repr=False)

    @classmethod
    def of(cls, store: Store) -> Self | None:
        """Return where workers reach a store; None for a local one. Raises UsageError."""
        if store.is_local:
            return None
        if not isinstance(store.backend, MilvusBackend):
            raise UsageError(
                f"a daemon or `clipsearch serve` has {store.uri} open: workers need the server "
                "itself; use daemon=False"
            )
        return cls(*store.backend.address)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """How a worker gets the model: by its name, or the encoder itself if that is a user's own.

    `preprocessing` is that of a model which would take long to load for this alone.
    """

    model: str | Encoder
    runtime: Runtime
    identity: ModelIdentity
    preprocessing: Preprocessing | None = None

    @classmethod
    def of(cls, encoder: Encoder, given: str | Encoder | None, runtime: Runtime) -> Self:
        """Describe a loaded encoder; `given` is what the user named, None or a name if we chose."""
        preprocessing = getattr(encoder, "preprocessing", None)
        return cls(
            model=encoder.identity.name if given is None or isinstance(given, str) else given,
            runtime=runtime,
            identity=encoder.identity,
            preprocessing=preprocessing if isinstance(preprocessing, Preprocessing) else None,
        )


@dataclass(frozen=True, slots=True)
class BulkTarget:
    """Where workers write files for a bulk import, in which version of the schema, in which run."""

    folder: BulkFolder
    schema_version: int
    run: int


@dataclass(frozen=True, slots=True)
class Job:
    """One ingestion, as workers see it.

    With a `server`, workers look up and write rows of `collection` themselves. Without one, they
    compare files with `stored`, the size and mtime of all rows. With `bulk` they write files.
    """

    source: Source
    options: IngestOptions
    model: ModelChoice
    failures: list[Failure]
    server: ServerAddress | None
    collection: str
    stored: StatTable | None
    bulk: BulkTarget | None = None
    version: str = __version__


class Worker:
    """A process of Ray with what it has opened for a job."""

    def __init__(self, job: Job, *, cores: int = 1) -> None:
        """Use `cores` of this machine. Raises UsageError if another version runs here."""
        if job.version != __version__:
            raise UsageError(
                f"a worker has clipsearch {__version__}, and this machine {job.version}: install "
                "the same version everywhere"
            )
        self.job = job
        workers = max(1, cpu.available() // cores)
        cpu.limit(cores)
        set_max_memory(default_limit() // workers)

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


def worker_of(reference: Any, *, cores: int = 1) -> Worker:
    """Return this process's Worker for the job behind a reference of Ray, made at the first call.

    A reference is passed instead of the job, as Ray may show the arguments of a stage.
    """
    import ray

    key = reference[0].hex()
    if key not in _workers:
        _workers.clear()  # processes are used again; their former jobs have ended
        _workers[key] = Worker(ray.get(reference[0]), cores=cores)
    return _workers[key]


def roots_of(source: Source) -> list[Path]:
    """The locations that tasks list, without those inside others."""
    places = list(dict.fromkeys(source.locations))
    given = set(places)
    return [place for place in places if given.isdisjoint(place.parents)]
