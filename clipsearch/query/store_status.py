"""What `clipsearch status` shows of a store."""

from typing import Any

from clipsearch.calibration import find_calibration
from clipsearch.errors import StoreError
from clipsearch.models import registry
from clipsearch.store import Collection, Store
from clipsearch.store.catalog_entry import Generation
from clipsearch.store.index.choice import index_advice
from clipsearch.store.texts import TextRows
from clipsearch.store.texts.schema import HAS_TEXT

ROW_BYTES = 1_000
"""Disk space of a row without its vector, about."""


def store_status(store: Store) -> dict[str, Any]:
    """Return the state of a store and its collections as JSON.

    A damaged collection has only a name and an error. `precisions` is a line of text about
    `measured_precisions`; `text` counts the images that were read. `calibration` says from what the
    calibration of the model was fitted; null if it has none.
    """
    return {
        "uri": store.uri,
        "disk_bytes": store.disk_bytes(),
        "collections": [_status(store, info.name) for info in store.collections()],
    }


def _status(store: Store, name: str) -> dict[str, Any]:
    try:
        return _collection_status(name, store.collection(name), store)
    except StoreError as error:  # a damaged collection does not hide the others
        return {"name": name, "error": str(error)}


def _collection_status(name: str, collection: Collection, store: Store) -> dict[str, Any]:
    info = collection.info
    previous = "catching up" if info.is_catching_up else "previous"
    record = registry.measured_precision(info.model.name)
    calibration = find_calibration(collection)
    return {
        "name": name,
        "images": collection.estimate_count(),
        "index": info.index.kind,
        "index_advice": index_advice(info.index, store.backend.capabilities(), info.rows),
        "pending_index_rows": collection.index.coverage().pending_rows,
        "model": info.model.name,
        "dim": info.model.dim,
        "weights": info.model.weights,
        "is_other_release": registry.is_other_release(info.model),
        "calibration": None if calibration is None else calibration.source,
        "preprocessing": info.model.preprocessing,
        "precision": info.model.precision,
        "measured_precisions": record.to_json() if record else None,
        "precisions": record.describe() if record else None,
        "schema_version": info.schema_version,
        "created_at": info.created_at,
        "generations": [
            _generation(store, collection, kind, generation)
            for kind, generation in ((previous, info.previous), ("next", info.next))
            if generation is not None
        ],
        "roots": [str(root) for root in info.roots],
        "failures": [{"path": str(f.path), "reason": f.reason} for f in collection.failures()],
        "text": _text_status(collection.texts),
    }


def _text_status(texts: TextRows) -> dict[str, Any]:
    """Describe what was read: images, those with text, and failures."""
    read = texts.count()
    return {
        "read": read,
        "with_text": texts.count(HAS_TEXT) if read else 0,
        "failures": [{"path": str(f.path), "reason": f.reason} for f in texts.failures()],
    }


def _generation(
    store: Store, collection: Collection, kind: str, generation: Generation
) -> dict[str, Any]:
    """Describe rows that are not in use: kept by a reindex, or of an unfinished one."""
    images = store.generations(collection.info.name).lower_bound(generation)
    # Vectors take most of the space; Milvus Lite stores each about twice.
    estimate = images * (8 * generation.model.dim + ROW_BYTES)
    return {
        "kind": kind,
        "model": generation.model.name,
        "created_at": generation.created_at,
        "images": images,
        "bytes": estimate,
    }
