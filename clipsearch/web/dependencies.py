"""What routes need of the app; async, so that FastAPI starts no thread for them."""

from typing import Annotated, Any, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from clipsearch.web.computations import Computations
from clipsearch.web.engine import Engine
from clipsearch.web.ingest_jobs import IngestJobs
from clipsearch.web.settings import Settings


def _state(name: str) -> Any:
    """Take a parameter from the state of the app."""

    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(read)


EngineOf: TypeAlias = Annotated[Engine, _state("engine")]
"""The type of a route's parameter that is the app's engine."""

SettingsOf: TypeAlias = Annotated[Settings, _state("settings")]
"""The type of a route's parameter that is the app's settings."""

ComputationsOf: TypeAlias = Annotated[Computations, _state("computations")]
"""The type of a route's parameter for work on the whole collection."""

DuplicateComputationsOf: TypeAlias = Annotated[Computations, _state("duplicate_computations")]
"""The type of a route's parameter for finding near-duplicates, which takes minutes."""

ModelComputationsOf: TypeAlias = Annotated[Computations, _state("model_computations")]
"""The type of a route's parameter for work of the model that takes long."""

JobsOf: TypeAlias = Annotated[IngestJobs, _state("jobs")]
"""The type of a route's parameter for the ingest jobs."""
