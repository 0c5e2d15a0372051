"""Ingest jobs as they travel, for validation and for OpenAPI."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from clipsearch.web.collection_schemas import FailureResult
from clipsearch.web.path_text import PathText
from clipsearch.web.schemas import Model


class IngestBody(Model):
    """What to ingest; without paths, all folders of the collection.

    `prune` removes images whose files no longer exist; `rehash` compares the content of files whose
    size and date are unchanged, and tries files again that failed.
    """

    paths: Annotated[list[PathText], Field(min_length=1, max_length=1_000)] | None = None
    prune: bool = False
    rehash: bool = False


class JobReport(BaseModel):
    """The outcome of an ingestion.

    `removed` images had no file any more; `gone` ones were kept without `prune`, and `refused` says
    why with it. `skipped` counts files of other formats by suffix. At most 1,000 failures.
    """

    removed: int
    gone: int
    refused: list[str]
    skipped: dict[str, int]
    failures: list[FailureResult]


class JobResult(BaseModel):
    """An ingest job and its progress.

    `seen` files were examined; `total` and `eta_seconds` are null until the files are counted.
    `rate` is in files a second. `error` is the reason of a job that failed.
    """

    id: str
    state: Literal["running", "finished", "failed", "canceled"]
    paths: list[str]
    prune: bool
    created_at: datetime
    seconds: float
    seen: int
    total: int | None
    stored: int
    copied: int
    moved: int
    unchanged: int
    failed: int
    rate: float
    eta_seconds: float | None
    report: JobReport | None
    error: str | None


class JobResults(BaseModel):
    """The jobs, the newest first."""

    jobs: list[JobResult]
