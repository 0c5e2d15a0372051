"""The options of the command line, and the fields of queries and filters that they set."""

import re
from dataclasses import fields

from clipsearch.query.filters import Filters
from clipsearch.query.query import Query

_RENAMED = {
    "taken_from": "--after",
    "taken_before": "--before",
    "formats": "--type",
    "tags": "--tag",
    "expression": "--filter",
}
_OPTION = re.compile(r"--[a-z]+(?:-[a-z]+)*")


def option_of(field: str) -> str:
    """The option that sets a field of `Query` or `Filters`."""
    return _RENAMED.get(field, f"--{field.replace('_', '-')}")


def with_field_names(sentence: str) -> str:
    """Replace the options in a sentence for users by fields, for programs; others stay."""
    names = {
        option_of(field.name): field.name for kind in (Query, Filters) for field in fields(kind)
    }
    return _OPTION.sub(lambda match: names.get(match[0], match[0]), sentence)
