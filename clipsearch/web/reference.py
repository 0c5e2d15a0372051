"""`/docs`: the reference of the API, drawn from its OpenAPI description without scripts."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.web.page_templates import html_response

router = APIRouter(include_in_schema=False)

_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body: its type in words, and what a missing one means."""

    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path, as the page shows it."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: str
    example: str
    responses: tuple[Field, ...]


@router.get("/docs")
async def show_reference(request: Request) -> Response:
    """Return the page."""
    schema = request.app.openapi()
    by_tag = {tag["name"]: list[Operation]() for tag in schema["tags"]}
    for tag, operation in _operations(schema):
        by_tag[tag].append(operation)
    values = {
        "version": schema["info"]["version"],
        "description": schema["info"]["description"],
        "tags": [(tag["name"], tag["description"], by_tag[tag["name"]]) for tag in schema["tags"]],
        "schemas": dict(sorted(_schemas(schema))),
        "pieces": pieces,
    }
    return html_response("reference.html", request, values)


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Split text at backquotes: whether it is code, and the part."""
    for number, part in enumerate(_CODE.split(text)):
        if part:
            yield number % 2 == 1, part


def describe_type(schema: Mapping[str, Any]) -> str:
    """Return a type of JSON Schema in a few words; the name of one that has its own section."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(describe_type, schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {describe_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {describe_type(schema['additionalProperties'])}"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" {low:g} to {high:g}"
    return f" ≥ {low:g}" if low is not None else ""


def _operations(schema: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in schema["paths"].items():
        for method, values in methods.items():
            body = _body_name(values.get("requestBody", {}))
            example = schema["components"]["schemas"].get(body, {}).get("examples", [None])[0]
            yield (
                values["tags"][0],
                Operation(
                    anchor=values["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=values["summary"],
                    description=values.get("description", ""),
                    parameters=tuple(map(_parameter, values.get("parameters", ()))),
                    body=body,
                    example=_command(method.upper(), path, example),
                    responses=tuple(_responses(values["responses"])),
                ),
            )


def _command(method: str, path: str, example: object) -> str:
    """A command that sends the example, or "" if the path has parameters."""
    if "{" in path or (method != "GET" and example is None):
        return ""
    if example is None:
        return f"curl http://127.0.0.1:8765{path}"
    return f"curl http://127.0.0.1:8765{path} --json '{json.dumps(example)}'"


def _body_name(body: Mapping[str, Any]) -> str:
    content = body.get("content", {}).values()
    return next((describe_type(media["schema"]) for media in content), "")


def _parameter(values: Mapping[str, Any]) -> Field:
    schema = values["schema"]
    description = values.get("description", "")
    return Field(
        values["name"],
        describe_type(schema),
        _default(schema, required=values["required"]),
        description,
    )


def _default(schema: Mapping[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    return "" if default in (None, "", [], {}) else json.dumps(default)


def _responses(responses: Mapping[str, Any]) -> Iterator[Field]:
    for status, values in sorted(responses.items()):
        types = []
        for media, content in values.get("content", {}).items():
            name = describe_type(content.get("schema", {}))
            types.append(name if media.endswith("json") else media)
        yield Field(status, " or ".join(types), "", values.get("description", ""))


def _schemas(schema: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, list[Field]]]]:
    """The name, description and fields of each type."""
    for name, values in schema["components"]["schemas"].items():
        required = values.get("required", ())
        fields = [
            Field(
                field,
                describe_type(part),
                _default(part, required=field in required),
                part.get("description", ""),
            )
            for field, part in values.get("properties", {}).items()
        ]
        yield name, (values.get("description", ""), fields)
