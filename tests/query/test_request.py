"""Queries and responses as JSON."""

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.query import Filters, Query, StoredImage, Term
from clipsearch.query.request import parse_request, request_json
from clipsearch.query.response import SearchResponse, parse_response, response_json
from clipsearch.records import Hit
from tests.helpers.hits import make_hit

FULL = Query(
    (
        Term("a dog", 2),
        Term(Path("/data/caf\udce9.jpg"), -0.5),
        Term(StoredImage("1f00c0")),
    ),
    limit=20,
    offset=3,
    filters=Filters(
        under=Path("/data"),
        glob="2023/*.jpg",
        taken_from=datetime(2023, 5, 1),
        taken_before=datetime(2024, 1, 1, 12, 30),
        formats=("jpg", "heic"),
        tags=("dog", 'a "b"'),
        min_width=1,
        min_height=2,
        min_bytes=3,
        max_bytes=4,
        expression="width > 3",
    ),
    min_score=0.1,
    min_z=-2,
    exclude_images=True,
    textness=-1.5,
    max_textness=0.4,
)


@pytest.mark.parametrize(
    "query", [FULL, Query((Term("dog"),)), Query((Term("dog"),), textness="off")]
)
def test_a_query_survives_json(query: Query) -> None:
    assert parse_request(json.loads(json.dumps(request_json(query)))) == query


def test_fields_at_their_default_are_left_out() -> None:
    assert request_json(Query((Term("dog"),))) == {"terms": [{"text": "dog"}]}
    nothing = {"terms": [{"text": "dog"}], "limit": None, "filters": {"under": None}}
    assert parse_request(nothing) == Query((Term("dog"),))


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    query = Query((Term(Path("a.jpg")),), filters=Filters(under=Path("~/b")))
    assert request_json(query) == {
        "terms": [{"image": str(tmp_path / "a.jpg")}],
        "filters": {"under": str(tmp_path / "home" / "b")},
    }


def test_an_image_in_memory_cannot_be_sent() -> None:
    with pytest.raises(UsageError, match="in memory"):
        request_json(Query((Term(Image.new("RGB", (1, 1))),)))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], "the request must be an object"),
        ({}, "the query is empty"),
        ({"terms": "dog"}, "terms must be a list, not 'dog'"),
        ({"terms": ["dog"]}, "a term must be an object"),
        ({"terms": [{"weight": 1}]}, "one of text, image and id"),
        ({"terms": [{"text": "a", "id": "b"}]}, "one of text, image and id"),
        ({"terms": [{"text": 3}]}, "text must be a string, not 3"),
        ({"terms": [{"text": " "}]}, "text is empty"),
        ({"terms": [{"text": "a", "weight": "2"}]}, "weight must be a number"),
        ({"terms": [{"text": "a", "weight": float("inf")}]}, "finite"),
        ({"terms": [{"text": "a", "color": "red"}]}, "a term: unknown field 'color'"),
        ({"term": []}, "unknown field 'term', the fields are terms, filters"),
        ({"limit": True}, "limit must be a whole number, not True"),
        ({"limit": 2.5}, "limit must be a whole number"),
        ({"limit": 0}, "the limit must be at least 1"),
        ({"exclude_images": 1}, "exclude_images must be true or false"),
        ({"textness": "on"}, "textness must be a number"),
        ({"min_z": float("nan")}, "finite"),
        ({"min_z": 10**400}, "min_z must be a number"),
        ({"textness": True}, "textness must be a number"),
        ({"filters": {"formats": "jpeg"}}, "formats must be a list"),
        ({"filters": {"formats": ["jpg", 3]}}, "each of formats must be a string"),
        ({"filters": {"formats": ["doc"]}}, "unknown format"),
        ({"filters": {"taken_from": "yesterday"}}, "taken_from must be a date"),
        ({"filters": {"taken_from": 2023}}, "taken_from must be a"),
        ({"filters": {"taken_before": "2023-05-01T00:00:00Z"}}, "without a zone"),
        ({"filters": {"color": "red"}}, "filters: unknown field 'color'"),
    ],
)
def test_a_wrong_request_raises_usage_error(request_: Any, message: str) -> None:
    if isinstance(request_, dict) and request_ and not request_.keys() & {"terms", "term"}:
        request_ = {"terms": [{"text": "a"}], **request_}
    with pytest.raises(UsageError, match=message):
        parse_request(request_)


def test_a_response_survives_json() -> None:
    first = make_hit(os.fsdecode(b"/data/caf\xe9\n.jpg"), 1 / 3, 2 / 7, datetime(2023, 5, 1, 12))
    tagged = replace(first, record=replace(first.record, tags=("a", "b")), textness=0.1)
    response = SearchResponse([first, tagged, make_hit("/b.png")], "pocket", 12.5)
    assert parse_response(json.loads(json.dumps(response_json(response)))) == response
    assert isinstance(parse_response(response_json(response)).hits[0], Hit)
