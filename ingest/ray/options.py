"""RayEngine: where and how an ingestion runs on Ray."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.store import Store
from ingest.report import IngestReport

EXTRA = "pip install 'clipsearch[ray]' (Python 3.11 to 3.13)"


def require_ray() -> None:
    """Raise UsageError with the command that installs Ray, if it is missing."""
    for name in ("ray", "pyarrow", "pandas"):
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--engine ray needs the package {name}: {EXTRA}")


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Ray runs the ingestion, on this machine or on a cluster.

    `address` is that of a cluster, "auto" for the one that this machine belongs to; None starts Ray
    here for this ingestion only. `encoders` is the number of processes that each hold the model; by
    default it grows with the load, at most one for each GPU. `gpus` is what each of them takes, by
    default 1 if the cluster has any. They encode `batch` images at once. With `bulk`, a folder or a
    prefix such as s3://BUCKET/PREFIX, workers write Parquet files there, which a Milvus server then
    reads into a collection that has no images yet; see `ingest_in_bulk`. Raises UsageError on
    values that cannot be.
    """

    address: str | None = None
    encoders: int | None = None
    gpus: float | None = None
    batch: int = 64
    bulk: str | None = None

    def __post_init__(self) -> None:
        for name in ("encoders", "batch"):
            value = getattr(self, name)
            if value is not None and arguments.integer(name, value) < 1:
                raise UsageError(f"{name} must be at least 1, not {value}")
        if self.gpus is not None and not self.gpus >= 0:
            raise UsageError(f"the GPUs of an encoder must be at least 0, not {self.gpus}")

    def bind(
        self, store: Store, model: str | Encoder | None, runtime: Runtime
    ) -> Callable[..., IngestReport]:
        """Return a function that is called as `ingest.pipeline.ingest` is; see `ingest_on_ray`.

        `model` is what the user named: workers load it by this name, or get the encoder itself.
        Raises UsageError if Ray is not installed.
        """
        require_ray()
        from ingest.ray.engine import ingest_on_ray  # late: few ingestions need it

        return partial(ingest_on_ray, self, store, model, runtime)
