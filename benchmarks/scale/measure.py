"""Fill one store and measure it, in a process of its own so that its memory counts alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.scale.rows import clustered, make_rows
from clipsearch import Index
from clipsearch.models import registry
from clipsearch.query.near_duplicates import find_near_duplicates
from clipsearch.store import Collection, Store, filters
from clipsearch.types import Vectors

MODEL = "pocket"
TEXT = "two dogs on a beach"
NAME = "scale_benchmark"
WRITTEN_ROWS = 2_000
SEARCHES = 50
TOP = 10
DELETED = 1_000


def measure(uri: str, rows: int, folder: Path) -> dict[str, str | float]:
    """Fill the collection NAME of a store, measure it, and drop it; return numbers by measure."""
    os.environ["CLIPSEARCH_WARM"] = ""  # a cold command shall start no daemon
    with Store.open(uri) as store:
        result: dict[str, str | float] = {
            "store": "lite" if store.is_local else "server",
            "rows": rows,
        }
        dim = registry.load(MODEL).identity.dim
        result["write s"] = _seconds(lambda: _fill(store, rows, folder))
        result["disk MB"] = round((store.disk_bytes() or 0) / 1e6, 1)
    with Index.open(uri, collection=NAME, daemon=False) as index:
        result["index s"] = _seconds(index.wait_for_index)
    result["cold command s"] = _seconds(lambda: _command(uri))
    with Index.open(uri, collection=NAME, daemon=False) as index:
        collection = index.collection
        result |= _searches(collection, rows, dim, folder)
        result["text p50 ms"] = _median(lambda: index.search(TEXT, limit=TOP))
        result["scan s"] = _seconds(lambda: sum(1 for _ in collection.scan()))
        result["tags s"] = _seconds(collection.tags)
        result["duplicates s"] = _seconds(
            lambda: find_near_duplicates(collection, 0.9, compare_pixels=False)
        )
        ids = [row.record.id for row in make_rows(folder, 0, min(DELETED, rows), dim)]
        result["delete 1,000 s"] = _seconds(lambda: collection.delete(ids))
    result |= _memory()
    with Store.open(uri) as store:
        store.drop(NAME)
    return result


def _fill(store: Store, rows: int, folder: Path) -> None:
    if store.find(NAME) is not None:
        store.drop(NAME)
    identity = registry.load(MODEL).identity
    collection = store.create(NAME, identity)
    for start in range(0, rows, WRITTEN_ROWS):
        count = min(WRITTEN_ROWS, rows - start)
        collection.upsert(list(make_rows(folder, start, count, identity.dim)))
    collection.finish_writes()


def _command(uri: str) -> None:
    command = [sys.executable, "-m", "clipsearch", "query", TEXT, "--uri", uri]
    subprocess.run([*command, "--collection", NAME], check=True, capture_output=True)


def _searches(collection: Collection, rows: int, dim: int, folder: Path) -> dict[str, str | float]:
    """Measure searches by vector, with and without a filter, and their recall."""
    queries = clustered(SEARCHES, dim, seed=0)
    collection.search(queries[0], limit=TOP)  # loads the collection
    times, found = [], []
    for query in queries:
        started = time.perf_counter()
        [hits] = collection.search(query, limit=TOP)
        times.append(time.perf_counter() - started)
        found.append({hit.id for hit in hits})
    median, slow = np.percentile(times, (50, 95)) * 1e3
    truth = _true_neighbors(queries, rows, dim, folder)
    part = filters.in_folder(folder / "00000")
    return {
        "search p50 ms": round(float(median), 1),
        "search p95 ms": round(float(slow), 1),
        "recall@10": round(
            float(np.mean([len(a & b) / len(b) for a, b in zip(found, truth, strict=True)])), 3
        ),
        "filter p50 ms": _median(lambda: collection.search(queries[0], limit=TOP, condition=part)),
    }


def _true_neighbors(queries: Vectors, rows: int, dim: int, folder: Path) -> list[set[str]]:
    """Return the ids of the TOP nearest rows of each query, by an exact search."""
    scores = np.empty((len(queries), 0), dtype=np.float32)
    ids = np.empty((len(queries), 0), dtype="U32")
    for start in range(0, rows, WRITTEN_ROWS):
        batch = list(make_rows(folder, start, min(WRITTEN_ROWS, rows - start), dim))
        more = queries @ np.stack([row.embedding for row in batch]).T
        scores = np.concatenate([scores, more], axis=1)
        names = np.array([row.record.id for row in batch])
        ids = np.concatenate([ids, np.broadcast_to(names, more.shape)], axis=1)
        best = np.argsort(-scores, axis=1)[:, :TOP]
        scores, ids = (np.take_along_axis(values, best, 1) for values in (scores, ids))
    return [set(map(str, row)) for row in ids]


def _memory() -> dict[str, str | float]:
    """Return the most memory of this process, and of Milvus Lite, which has ended."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    unit = 1 if sys.platform == "darwin" else 1_024
    own, other = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return {
        "RSS MB": round(resource.getrusage(own).ru_maxrss * unit / 1e6, 1),
        "child RSS MB": round(resource.getrusage(other).ru_maxrss * unit / 1e6, 1),
    }


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return round(time.perf_counter() - started, 3)


def _median(action: Callable[[], object]) -> float:
    return round(float(np.median([_seconds(action) for _ in range(SEARCHES // 2)])) * 1e3, 1)
