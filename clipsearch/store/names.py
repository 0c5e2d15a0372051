"""Names of collections."""

import re
from collections.abc import Mapping, Sequence

from clipsearch.errors import UsageError
from clipsearch.store.milvus_lite.local_store import find_table
from clipsearch.store.schema import CATALOG

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def check_name(name: str) -> None:
    """Raise UsageError if Milvus does not accept a collection's name, or it is the catalog's."""
    if not _NAME.fullmatch(name) or name.lower() == CATALOG:
        raise UsageError(
            f"{name!r} cannot be the name of a collection: use up to 255 letters, digits and "
            f"underscores, not starting with a digit, and not {CATALOG}"
        )


def check_available(name: str, tables: Sequence[str], generations: Mapping[str, str]) -> None:
    """Raise UsageError if a new collection cannot have a name.

    `tables` are the collections of a local store, none of a server; `generations` are collections
    of Milvus with the name of the collection that they belong to.
    """
    if tables and (table := find_table(name, tables)) is not None:
        raise UsageError(
            f"{name!r} cannot be the name of a collection here: a local store has {table!r}, "
            "and does not distinguish upper and lower case: use another name"
        )
    if (owner := generations.get(name, name)) != name:
        raise UsageError(f"{name!r} holds a generation of {owner!r}: use another name")


def foreign(name: str) -> str:
    """Return the message about a collection that another program made."""
    return f"the collection {name!r} was not made by clipsearch: use another name"
