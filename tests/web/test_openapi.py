"""The description of the API: complete, and true for requests that are generated from it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.schemas import PATTERN_MEANINGS
from clipsearch.web.settings import Settings
from tests.helpers.http import listening

pytest.importorskip("schemathesis", reason="needs the extra `dev`")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

EXAMPLES = 10
"""Generated requests of each kind to each operation."""


def no_index() -> Any:
    raise AssertionError("the description needs no collection")


DESCRIPTION = create_app(Engine(no_index)).openapi()
OPERATIONS = {
    operation.ok().label: operation.ok()
    for operation in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()
    if isinstance(operation, Ok)
}


@pytest.fixture(scope="module")
def url(server: Server, web_folder: Path) -> Iterator[str]:
    """The address of a server that may ingest."""
    app_settings = Settings(allow_write=True, roots=(web_folder,))
    engine = Engine(partial(open_index, server, "images"))
    engine.is_ready = True
    with listening(create_app(engine, app_settings)) as (host, port):
        yield f"http://{host}:{port}"


def kinds() -> Iterator[Any]:
    """Each operation with valid requests and, if it has parameters or a body, with invalid ones."""
    for label, operation in OPERATIONS.items():
        yield pytest.param(label, GenerationMode.POSITIVE, id=f"{label} valid")
        if operation.definition.raw.keys() & {"parameters", "requestBody"}:
            yield pytest.param(label, GenerationMode.NEGATIVE, id=f"{label} invalid")


@pytest.mark.parametrize(("label", "mode"), list(kinds()))
def test_generated_requests_get_the_responses_that_are_described(
    url: str, label: str, mode: GenerationMode
) -> None:
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        # A valid id need not exist, and what is valid alone may not be so together.
        excluded = [positive_data_acceptance]
        if label == "GET /v1/search":  # a form sends the fields that were left empty as well
            excluded.append(negative_data_rejection)
        case.call_and_validate(base_url=url, timeout=30, excluded_checks=excluded)

    call()


def patterns(schema: object) -> Iterator[str]:
    """The patterns of all texts in a part of the description."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from patterns(part)


def test_each_pattern_has_a_meaning_for_messages() -> None:
    found = set(patterns(create_app(Engine(pytest.fail)).openapi()))
    assert len(found) > 3
    assert found <= PATTERN_MEANINGS.keys()
