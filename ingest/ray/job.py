"""Job: what every worker needs to know of an ingestion."""

from dataclasses import dataclass, field
from typing import Self

from clipsearch import __version__
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.store import Store
from clipsearch.store.milvus import MilvusBackend
from clipsearch.types import Failure
from ingest.options import IngestOptions
from ingest.ray.bulk_files import BulkFolder
from ingest.sources.source import Source
from ingest.stat_lookup import StatTable


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
