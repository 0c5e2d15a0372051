"""The collection that gets the rows of a copy or an import: it must fit them."""

from __future__ import annotations

from clipsearch.errors import ModelMismatchError, StoreError
from clipsearch.models.base import ModelIdentity
from clipsearch.store import Collection, Store
from clipsearch.store.schema import SCHEMA_VERSION


def find_target(
    store: Store, name: str, model: ModelIdentity, version: int = SCHEMA_VERSION
) -> Collection | None:
    """Return the collection for rows of a model and a version of the schema; None if it is missing.

    Raises ModelMismatchError if its vectors are of another model, StoreError if it lacks fields.
    """
    collection = store.find(name)
    if collection is None:
        return None
    made_by = collection.info.model
    if not made_by.is_comparable(model):
        raise ModelMismatchError(
            f"the collection {name!r} in {store.uri} was made by {made_by.name}, and its vectors "
            f"cannot be compared with those of {model.name}{_difference(made_by, model)}: choose "
            f"another name for the target, or delete it there (`clipsearch drop {name}`)"
        )
    if collection.info.schema_version < version:
        raise StoreError(
            f"the collection {name!r} in {store.uri} was made by an older version of clipsearch, "
            "and lacks fields of the rows to write: choose another name for the target, or delete "
            f"it there (`clipsearch drop {name}`)"
        )
    return collection


def open_target(
    store: Store,
    name: str,
    model: ModelIdentity,
    version: int = SCHEMA_VERSION,
    recall: float | None = None,
) -> Collection:
    """Return the collection for rows of a model; create it if it is missing.

    A new one has the index that suits the store and the wanted `recall`. Raises as `find_target`
    does.
    """
    return find_target(store, name, model, version) or store.create(name, model, recall=recall)


def _difference(one: ModelIdentity, other: ModelIdentity) -> str:
    """Return what differs between models of the same name."""
    if one.name != other.name:
        return ""
    if one.dim != other.dim:
        return " (another dimension)"
    return f" ({'other weights' if one.weights != other.weights else 'other preprocessing'})"
