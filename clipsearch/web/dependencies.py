"""What routes need of the app; async, so that FastAPI starts no thread for them."""

from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from clipsearch.web.computations import Computations
from clipsearch.web.engine import Engine
from clipsearch.web.ingest_jobs import IngestJobs
from clipsearch.web.settings import Settings


async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _computations(request: Request) -> Computations:
    computations: Computations = request.app.state.computations
    return computations


async def _model_computations(request: Request) -> Computations:
    computations: Computations = request.app.state.model_computations
    return computations


async def _jobs(request: Request) -> IngestJobs:
    jobs: IngestJobs = request.app.state.jobs
    return jobs


EngineOf: TypeAlias = Annotated[Engine, Depends(_engine)]
"""The type of a route's parameter that is the app's engine."""

SettingsOf: TypeAlias = Annotated[Settings, Depends(_settings)]
"""The type of a route's parameter that is the app's settings."""

ComputationsOf: TypeAlias = Annotated[Computations, Depends(_computations)]
"""The type of a route's parameter for work on the whole collection."""

ModelComputationsOf: TypeAlias = Annotated[Computations, Depends(_model_computations)]
"""The type of a route's parameter for work of the model that takes long."""

JobsOf: TypeAlias = Annotated[IngestJobs, Depends(_jobs)]
"""The type of a route's parameter for the ingest jobs."""
