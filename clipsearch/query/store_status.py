"""What `clipsearch status` shows of a store."""

from typing import Any

from clipsearch.errors import StoreError
from clipsearch.models import registry
from clipsearch.store import Collection, Store
from clipsearch.store.index_choice import index_advice


def store_status(store: Store) -> dict[str, Any]:
    """Return the state of a store and its collections as JSON.

    A damaged collection has only a name and an error. `precisions` is a line of text about
    `measured_precisions`.
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
    coverage = store.backend.index_coverage(info.milvus_name)
    record = registry.measured_precision(info.model.name)
    return {
        "name": name,
        "images": collection.estimate_count(),
        "index": info.index.kind,
        "index_advice": index_advice(info.index, store.backend.capabilities(), info.rows),
        "pending_index_rows": coverage.pending(coverage.rows),
        "model": info.model.name,
        "dim": info.model.dim,
        "weights": info.model.weights,
        "preprocessing": info.model.preprocessing,
        "precision": info.model.precision,
        "measured_precisions": record.to_json() if record else None,
        "precisions": record.describe() if record else None,
        "schema_version": info.schema_version,
        "created_at": info.created_at,
        "roots": [str(root) for root in info.roots],
        "failures": [{"path": str(f.path), "reason": f.reason} for f in collection.failures()],
    }
