"""The fields of a collection in pymilvus's form."""

from __future__ import annotations

from typing import Any

from clipsearch.startup import import_pymilvus
from clipsearch.store.schema import LIST_TEXT_BYTES, CollectionSchema


def pymilvus_schema(client: Any, schema: CollectionSchema) -> Any:
    """Return a schema in pymilvus's form."""
    types = import_pymilvus().DataType
    result = client.create_schema(
        auto_id=False, enable_dynamic_field=False, description=schema.description
    )
    for name, length in schema.strings.items():
        is_primary = name == schema.primary_key
        result.add_field(name, types.VARCHAR, max_length=length, is_primary=is_primary)
    for name in schema.integers:
        result.add_field(name, types.INT64)
    for name in schema.objects:
        result.add_field(name, types.JSON)
    for name, capacity in schema.string_lists.items():
        result.add_field(
            name,
            types.ARRAY,
            element_type=types.VARCHAR,
            max_capacity=capacity,
            max_length=LIST_TEXT_BYTES,
        )
    result.add_field(schema.vector, types.FLOAT_VECTOR, dim=schema.dim)
    return result
