"""The web application: routes, errors and security of the API and of the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from clipsearch import __version__
from clipsearch.web import (
    archive_routes,
    classify_routes,
    collection_page,
    collection_routes,
    embedding_routes,
    explain_routes,
    health_routes,
    image_routes,
    ingest_routes,
    login,
    openapi,
    pages,
    query_image_routes,
    reference,
    search_routes,
    static_files,
)
from clipsearch.web.computations import Computations
from clipsearch.web.engine import Engine
from clipsearch.web.ingest_jobs import IngestJobs
from clipsearch.web.metrics import Metrics, MetricsMiddleware
from clipsearch.web.path_text import PathParameters
from clipsearch.web.problems import add_problem_handlers
from clipsearch.web.security import add_security
from clipsearch.web.settings import Settings


def create_app(engine: Engine, settings: Settings | None = None) -> FastAPI:
    """Return the app that serves the collection of an engine; it closes the engine at its end."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.jobs.close()
        await app.state.computations.close()
        await app.state.duplicate_computations.close()
        await app.state.model_computations.close()
        await engine.close()

    app = FastAPI(
        title="clipsearch",
        version=__version__,
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        generate_unique_id_function=openapi.operation_id,
        lifespan=lifespan,
        docs_url=None,  # the usual pages load their scripts from another host
        redoc_url=None,
    )
    app.state.engine = engine
    app.state.settings = settings
    app.state.computations = Computations(engine)
    app.state.duplicate_computations = Computations(engine)
    app.state.model_computations = Computations(engine)
    app.state.jobs = IngestJobs(engine)
    app.state.metrics = _metrics(app)
    add_problem_handlers(app)
    app.add_exception_handler(404, pages.show_missing)
    for routes in (
        search_routes,
        query_image_routes,
        image_routes,
        archive_routes,
        collection_routes,
        ingest_routes,
        classify_routes,
        explain_routes,
        embedding_routes,
        health_routes,
        login,
        pages,
        collection_page,
        reference,
        static_files,
    ):
        app.include_router(routes.router)
    openapi.describe(app, needs_token=settings.token is not None)
    app.add_middleware(PathParameters)
    add_security(app, settings)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    return app


def _metrics(app: FastAPI) -> Metrics:
    engine: Engine = app.state.engine
    metrics = Metrics(engine.encoder_batches)
    metrics.watch_queue("searches", lambda: engine.batches.waiting)
    metrics.watch_queue("calls", lambda: engine.pending)
    metrics.watch_queue("collection", lambda: app.state.computations.calls)
    metrics.watch_queue("duplicates", lambda: app.state.duplicate_computations.calls)
    metrics.watch_queue("model", lambda: app.state.model_computations.calls)
    return metrics
