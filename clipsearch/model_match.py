"""Whether a model fits a collection: only vectors of one model can be compared."""

import shlex

from clipsearch import config
from clipsearch.errors import ModelMismatchError
from clipsearch.models import equivalence, registry
from clipsearch.models.base import Encoder
from clipsearch.store import Collection, Store


def require_model(collection: Collection, model: str | Encoder) -> None:
    """Raise ModelMismatchError if a model, by name or loaded, did not make the collection.

    Loads no model. "auto" fits every collection.
    """
    if not isinstance(model, str):
        registry.check_custom_encoder(model)
        require_comparable(collection, model)
        return
    if model == "auto":
        return
    made_by = collection.info.model.name
    ref = registry.parse_model_name(model)
    if made_by not in (ref.name, ref.open_clip_name):
        command = reindex_command(collection.info.name, ref.name)
        raise ModelMismatchError(
            f"the collection {collection.info.name!r} was made by {made_by}, and vectors of "
            f"{ref.name} cannot be compared with its vectors: leave the model out, name another "
            f"collection, or embed its images again with `{command}`"
        )


def require_comparable(collection: Collection, encoder: Encoder) -> None:
    """Raise ModelMismatchError if an encoder's vectors are not those of the collection's model."""
    made_by = collection.info.model
    if reason := equivalence.difference(encoder, made_by):
        model, advice = made_by.name, "restore that model"
        if made_by.weights.startswith(equivalence.ONNX):
            advice = "open it with --model and that ONNX export"
        elif registry.is_other_release(made_by):
            model = f"another release of {model}"
            advice = "open it with the version of clipsearch that made it"
        command = reindex_command(collection.info.name, encoder.identity.name)
        raise ModelMismatchError(
            f"the collection {collection.info.name!r} was made by {model} {reason}: {advice}, or "
            f"embed its images again with `{command}`"
        )


def reindex_command(name: str, model: str) -> str:
    """The command that embeds the images of the collection `name` with another model."""
    option = "" if name == config.default_collection() else f" --collection {shlex.quote(name)}"
    return f"clipsearch reindex{option} --model {model}"


def find_matching(store: Store, name: str, model: str | Encoder | None) -> Collection | None:
    """Find a collection of this model; None if it does not exist, or is empty and to be replaced.

    An empty one is what a kill within a first ingestion leaves; it would tie the next one to its
    model. Raises as `require_model` does on one with rows, or on a server, where another process
    may be about to write its first rows.
    """
    collection = store.find(name)
    if collection is None:
        if not isinstance(model, str | None):
            registry.check_custom_encoder(model)
        return None
    try:
        if model is not None:
            require_model(collection, model)
    except ModelMismatchError:
        if not store.is_local or collection.count():
            raise
        return None
    return collection


def drop_empty(store: Store, name: str) -> None:
    """Delete a collection of a local store if it has no rows, to create it for another model."""
    collection = store.find(name)
    if collection is None or not store.is_local or collection.count():
        return
    store.backend.begin_writes()  # raises an error if another process writes
    store.drop(name)
    store.backend.end_writes()
