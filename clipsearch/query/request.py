"""A query as JSON, for the daemon and for HTTP: typed fields, named as in `Query` and `Filters`.

    {"terms": [{"text": "dog", "weight": 2}, {"image": "/data/lake.jpg"}, {"id": "1f00c0"}],
     "filters": {"under": "/data", "taken_from": "2023-05-01T00:00:00"}, "limit": 20}

Left out fields and null mean the default.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from clipsearch.errors import UsageError, shorten
from clipsearch.files.paths import expand_user
from clipsearch.query.filters import Filters
from clipsearch.query.moment import FORMS, parse_moment
from clipsearch.query.parser import StoredImage, Term
from clipsearch.query.place import Near
from clipsearch.query.query import Query
from clipsearch.remote_path import locate

Reader: TypeAlias = Callable[[str, Any], Any]
"""Checks the JSON value of the field of that name, and returns the value of the dataclass."""


def request_json(
    query: Query, *, term_json: Callable[[Term], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the query as JSON, without fields at their default; paths become absolute.

    Raises UsageError on an image in memory or at a URL, unless `term_json` handles them.
    """
    convert = term_json or _term_json
    return _changed_fields(query) | {"terms": [convert(term) for term in query.terms]}


def filters_json(filters: Filters) -> dict[str, Any]:
    """Return filters as JSON, without fields at their default; paths become absolute."""
    return _changed_fields(filters)


def parse_request(values: object) -> Query:
    """Return the query of a JSON value; raise UsageError on an unknown field or a wrong type."""
    return Query(**{"terms": ()} | _read_object("the request", values, _QUERY_FIELDS))


def _changed_fields(item: Query | Filters) -> dict[str, Any]:
    values = ((field, getattr(item, field.name)) for field in fields(item))
    return {field.name: _to_json(value) for field, value in values if value != field.default}


def _to_json(value: Any) -> Any:
    if isinstance(value, Filters):
        return _changed_fields(value)
    if isinstance(value, Path):
        return _absolute(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Near):
        return [value.latitude, value.longitude, value.kilometers]
    return list(value) if isinstance(value, tuple) else value


def _term_json(term: Term) -> dict[str, Any]:
    weight = {} if term.weight == 1 else {"weight": term.weight}
    if isinstance(term.content, str):
        return {"text": term.content, **weight}
    if isinstance(term.content, StoredImage):
        if term.content.path is not None:
            return {"stored": _absolute(term.content.path), **weight}
        return {"id": term.content.id, **weight}
    if isinstance(term.content, Path):
        return {"image": _absolute(term.content), **weight}
    raise UsageError(
        "an image in memory or at a URL cannot be part of a request: give a file or an id"
    )


def _absolute(path: Path) -> str:
    """Another process may have another working directory and another user's home."""
    return str(expand_user(path).absolute())


def _read_object(name: str, value: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    for key in value:
        if key not in readers:
            raise UsageError(f"{name}: unknown field {key!r}, the fields are {', '.join(readers)}")
    given = {key: item for key, item in value.items() if item is not None}
    return {key: readers[key](key, item) for key, item in given.items()}


def _reader(type_: type, description: str) -> Reader:
    def read(name: str, value: Any) -> Any:
        if type(value) is not type_:  # a bool is an int, but true is not a number in JSON
            raise _wrong(name, description, value)
        return value

    return read


def _number(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an integer of more than 308 digits
            return float(value)
    raise _wrong(name, "a number", value)


def _read_texts(name: str, value: Any) -> tuple[str, ...]:
    return tuple(_text(f"each of {name}", item) for item in _list(name, value))


def _read_path(name: str, value: Any) -> Path:
    return locate(_text(name, value))


def _read_textness(name: str, value: Any) -> float | str:
    return "off" if value == "off" else _number(name, value)


def _read_time(name: str, value: Any) -> datetime:
    """Read a time of the camera's clock, which has no zone."""
    try:
        return parse_moment(_text(name, value))
    except UsageError as error:
        raise _wrong(name, f"a date or time without a zone: {FORMS}", value) from error


def _read_near(name: str, value: Any) -> Near:
    numbers = [_number(f"each of {name}", item) for item in _list(name, value)]
    if len(numbers) != 3:
        raise _wrong(name, "a list of latitude, longitude and kilometers", value)
    return Near(*numbers)


def _read_terms(name: str, value: Any) -> tuple[Term, ...]:
    return tuple(_read_term(item) for item in _list(name, value))


def _read_term(value: Any) -> Term:
    values = _read_object("a term", value, _TERM_FIELDS)
    weight = values.pop("weight", 1.0)
    if len(values) != 1:
        raise _wrong("a term", "an object with one of text, image and id", value)
    [content] = values.values()
    return Term(content, weight)


def _wrong(name: str, expected: str, value: object) -> UsageError:
    return UsageError(f"{name} must be {expected}, not {shorten(repr(value))}")


_text = _reader(str, "a string")
_list = _reader(list, "a list")
_integer = _reader(int, "a whole number")
_boolean = _reader(bool, "true or false")

_TERM_FIELDS: dict[str, Reader] = {
    "text": _text,
    "image": _read_path,
    "id": lambda name, value: StoredImage(_text(name, value)),
    "stored": lambda name, value: StoredImage(path=_read_path(name, value)),
    "weight": _number,
}

_FILTER_FIELDS: dict[str, Reader] = {
    "under": _read_path,
    "glob": _text,
    "taken_from": _read_time,
    "taken_before": _read_time,
    "formats": _read_texts,
    "tags": _read_texts,
    "min_width": _integer,
    "min_height": _integer,
    "min_bytes": _integer,
    "max_bytes": _integer,
    "near": _read_near,
    "camera": _text,
    "expression": _text,
}

_QUERY_FIELDS: dict[str, Reader] = {
    "terms": _read_terms,
    "filters": lambda name, value: Filters(**_read_object(name, value, _FILTER_FIELDS)),
    "limit": _integer,
    "offset": _integer,
    "min_score": _number,
    "min_z": _number,
    "min_p": _number,
    "exclude_images": _boolean,
    "textness": _read_textness,
    "max_textness": _number,
    "max_pixels": _integer,
    "says": _text,
}
