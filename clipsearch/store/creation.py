"""Creation of a collection on a server, where several processes may create it at once.

The catalog's entries are overwritten by the last writer, so that they cannot decide which model a
collection has. Milvus itself creates a collection once: another creation changes nothing if all
parameters are equal, and fails if one differs. The description is such a parameter. It holds the
model, so the first creation decides, and the catalog's entry follows from the description. Each
step may be done by several processes at once, and again after a kill. None of them drops anything.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from clipsearch.errors import StoreError
from clipsearch.models.base import ModelIdentity
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.names import check_available, foreign
from clipsearch.store.schema import (
    EMBEDDING,
    SCHEMA_VERSION,
    CollectionSchema,
    image_schema,
    record_fields,
)

REQUIRED_FIELDS = frozenset({*record_fields(1), EMBEDDING})
"""The fields of collections of all versions."""

KEY = "clipsearch"
"""Names our part of the JSON in a description."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the first creation of a collection decided."""

    model: ModelIdentity
    index: IndexSettings
    schema_version: int = SCHEMA_VERSION

    @property
    def text(self) -> str:
        """The description of the collection."""
        return json.dumps({KEY: asdict(self)}, ensure_ascii=False)

    @property
    def schema(self) -> CollectionSchema:
        """The schema to create it with."""
        return image_schema(self.model.dim, self.text)


def create(
    backend: Backend, catalog: Catalog, name: str, model: ModelIdentity, index: IndexSettings
) -> CollectionInfo:
    """Create a collection that has no entry, unless another process is faster on a server.

    The model of the result is that of the first process. Raises StoreError, and UsageError if a
    local store cannot have this name.
    """
    if backend.path is None:
        return _create_on_server(backend, catalog, name, Claim(model, index))
    names = backend.collection_names()
    check_available(name, names, catalog.milvus_names())
    if name in names:
        if not is_unfinished(backend, catalog, name):
            raise StoreError(foreign(name))
        backend.drop(name)
    catalog.remove(name)  # entries that a kill during `drop` left
    backend.create(name, image_schema(model.dim), index.kind)
    return catalog.add(name, model, index)


def apply_claim(
    backend: Backend, catalog: Catalog, name: str, info: CollectionInfo | None
) -> CollectionInfo | None:
    """Return the entry of a collection on a server, as its claim says; write it if it differs.

    An entry without rows may be left of an earlier collection that was dropped, and a process that
    drops may have deleted the entry of the next one.
    """
    if info is not None and (info.rows or info.milvus_name != name):
        return info
    if name not in backend.collection_names():
        return info
    claim = read_claim(backend.description(name))
    if claim is None or (info is not None and info.model == claim.model):
        return info
    return _complete(backend, catalog, name, claim)


def is_unfinished(backend: Backend, catalog: Catalog, name: str) -> bool:
    """Tell whether a kill within `create` left this collection, which has no entry.

    It has a claim, or our fields, of this version or an earlier one, and no rows.
    """
    if catalog.milvus_names().get(name, name) != name:  # a generation of another collection
        return False
    if backend.path is None and read_claim(backend.description(name)) is not None:
        return True
    return backend.fields(name).keys() >= REQUIRED_FIELDS and not backend.count(
        name, consistency="strong"
    )


def read_claim(description: str) -> Claim | None:
    """Return the claim in a collection's description; None if it has none."""
    try:
        values = json.loads(description)[KEY]
        index = IndexSettings(str(values["index"]["kind"]), values["index"]["recall"])
        return Claim(ModelIdentity(**values["model"]), index, int(values["schema_version"]))
    except (ValueError, KeyError, TypeError):
        return None


def _create_on_server(
    backend: Backend, catalog: Catalog, name: str, claim: Claim
) -> CollectionInfo:
    check_available(name, (), catalog.milvus_names())
    try:
        backend.create(name, claim.schema, claim.index.kind)
    except StoreError as error:
        if name not in backend.collection_names():
            raise
        first = read_claim(backend.description(name))
        if first == claim:
            raise
        if first is not None:
            return _complete(backend, catalog, name, first)
        if not is_unfinished(backend, catalog, name):
            raise StoreError(foreign(name)) from error
        raise StoreError(
            f"an earlier version was interrupted as it created the collection {name!r}: "
            f"`clipsearch drop {name}` removes it"
        ) from error
    return catalog.add(name, claim.model, claim.index)


def _complete(backend: Backend, catalog: Catalog, name: str, claim: Claim) -> CollectionInfo:
    """Do the rest of the creation by another process; one of another version does it itself."""
    if claim.schema_version == SCHEMA_VERSION:
        with suppress(StoreError):  # its index was replaced, or this user may not create one
            backend.create(name, claim.schema, claim.index.kind)
    return catalog.add(name, claim.model, claim.index, claim.schema_version)
