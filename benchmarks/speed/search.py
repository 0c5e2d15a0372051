"""Searches within one process, compared with exact ones in numpy and with FAISS."""

import importlib
import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from clipsearch import Index
from clipsearch.images.hashing import image_id
from clipsearch.models.base import ModelIdentity
from clipsearch.records import ImageRecord
from clipsearch.store import Store
from clipsearch.types import ImageRow, Vectors

SEARCHES = 60
TOP = 10
TEXT = "two dogs on a beach"
CLUSTERS = 300
NOISE = 0.6
"""Length of the noise around a cluster center, whose length is 1."""
FOLDER = Path("/images")
IMAGES_PER_FOLDER = 500
UPSERT_BATCH = 2_000

Search: TypeAlias = Callable[[Vectors], list[int]]
"""Finds the numbers of the TOP rows nearest to a query vector (d,)."""
Row: TypeAlias = dict[str, str | int | float]
"""A row of a result table."""


def clustered_vectors(count: int, dim: int, seed: int) -> Vectors:
    """Random (count, dim) float32 of length 1, around CLUSTERS centers that are always the same."""
    centers = np.random.default_rng(0).standard_normal((CLUSTERS, dim)).astype(np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, dim), dtype=np.float32) * np.float32(NOISE / dim**0.5)
    vectors += centers[random.integers(0, CLUSTERS, count)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def make_store(file: Path, vectors: Vectors, model: ModelIdentity) -> None:
    """Create a store of these vectors, once."""
    if file.exists():
        return
    unfinished = file.with_name(f"part-{file.name}")
    unfinished.unlink(missing_ok=True)
    with Store.open(unfinished) as store:
        images = store.create("images", model)
        for start in range(0, len(vectors), UPSERT_BATCH):
            batch = vectors[start : start + UPSERT_BATCH]
            images.upsert([_make_row(start + n, vector) for n, vector in enumerate(batch)])
        images.finish_writes()
    unfinished.rename(file)


def time_searches(vectors: Vectors, index: Index) -> Iterator[Row]:
    """Yield a row for each kind of search, on queries near the rows."""
    queries = clustered_vectors(SEARCHES, vectors.shape[1], seed=2)
    searches = _searches(vectors, index)
    for search in searches.values():
        search(queries[0]), search(queries[1])
    seconds, results = defaultdict(list), defaultdict(list)
    for query in queries:
        for name, search in searches.items():
            started = time.perf_counter()
            results[name].append(search(query))
            seconds[name].append(time.perf_counter() - started)
    reference = float(np.median(seconds["numpy"]))
    for name, times in seconds.items():
        row = summarize(len(vectors), name, times, "x numpy", reference)
        if name not in ("Index.search(text)", "text encoder alone"):  # these search for TEXT
            recalls = [
                len({*found} & {*truth}) / TOP
                for found, truth in zip(results[name], results["numpy"], strict=True)
            ]
            row["recall@10"] = round(float(np.mean(recalls)), 3)
        yield row


def summarize(rows: int, name: str, seconds: list[float], ratio: str, reference: float) -> Row:
    """Make a table row: median and 95th percentile, and the median as a ratio to a reference."""
    median, slow = np.percentile(seconds, (50, 95))
    return {
        "rows": rows,
        "task": name,
        "p50 ms": round(float(median) * 1e3, 1),
        "p95 ms": round(float(slow) * 1e3, 1),
        ratio: round(float(median) / reference, 2),
    }


def _make_row(number: int, vector: Vectors) -> ImageRow:
    path = FOLDER / f"{number // IMAGES_PER_FOLDER:04}" / f"{number:07}.jpg"
    content_hash = f"{number:032x}"
    record = ImageRecord(image_id(path), path, content_hash, 3_000_000, 0, 4000, 3000, "jpeg", None)
    return ImageRow(record, vector)


def _searches(vectors: Vectors, index: Index) -> dict[str, Search]:
    """The kinds of search by name."""

    def exact(query: Vectors) -> list[int]:
        scores = vectors @ query
        best = np.argpartition(-scores, TOP)[:TOP]
        return [int(number) for number in best[np.argsort(-scores[best])]]

    def by_vector(query: Vectors) -> list[int]:
        [hits] = index.collection.search(query, limit=TOP)
        return [int(hit.path.stem) for hit in hits]

    def by_text(_: Vectors) -> list[int]:
        return [int(hit.path.stem) for hit in index.search(TEXT, limit=TOP)]

    def encode_text(_: Vectors) -> list[int]:
        index.embed_texts([TEXT])
        return []

    searches: dict[str, Search] = {"numpy": exact, "Milvus Lite": by_vector}
    if importlib.util.find_spec("faiss"):
        faiss: Any = importlib.import_module("faiss")
        flat = faiss.IndexFlatIP(vectors.shape[1])
        graph = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 128
        for name, faiss_index in (("FAISS flat", flat), ("FAISS HNSW", graph)):
            faiss_index.add(vectors)
            searches[name] = _faiss_search(faiss_index)
    return searches | {"Index.search(text)": by_text, "text encoder alone": encode_text}


def _faiss_search(faiss_index: Any) -> Search:
    def search(query: Vectors) -> list[int]:
        numbers: list[int] = faiss_index.search(query[None], TOP)[1][0].tolist()
        return numbers

    return search
