"""The images nearest to some vectors, of those that pass filters."""

from clipsearch.batching import batches
from clipsearch.query.condition import Selection
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.types import Vectors

IDS_PER_SEARCH = 2000
WITH_EMBEDDINGS = 1_000  # hits of a search that returns embeddings: 16 KB each while it is read


def nearest(
    collection: Collection,
    vectors: Vectors,
    limit: int,
    offset: int,
    selection: Selection,
    embeddings: dict[str, Vectors] | None = None,
) -> list[list[Hit]]:
    """Return the hits of each of (n, d) vectors, best first.

    `embeddings` gets those of some or all of the hits, by their ids: those that cost little.
    """
    if selection.is_exact:
        if len(vectors) * limit > WITH_EMBEDDINGS:
            embeddings = None
        return collection.search(
            vectors,
            limit=limit,
            offset=offset,
            condition=selection.condition,
            embeddings=embeddings,
        )
    return _nearest_scanned(collection, vectors, limit, offset, selection)


def _nearest_scanned(
    collection: Collection, vectors: Vectors, limit: int, offset: int, selection: Selection
) -> list[list[Hit]]:
    """Search exactly among the images that match what Milvus cannot evaluate, such as a glob."""
    records = collection.scan(selection.condition)
    ids = [record.id for record in records if selection.matches(record)]
    merged: list[list[Hit]] = [[] for _ in vectors]
    for chunk in batches(ids, IDS_PER_SEARCH):
        in_chunk = store_filters.id_in(chunk)
        for best, hits in zip(
            merged,
            collection.search(vectors, limit=limit + offset, condition=in_chunk),
            strict=True,
        ):
            best.extend(hits)
            best.sort(key=lambda hit: -hit.score)
            del best[limit + offset :]
    return [best[offset:] for best in merged]
