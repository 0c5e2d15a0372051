"""Storage of image records and embeddings: Milvus Lite on a file, or a Milvus server.

from clipsearch.session import open_store

with open_store("images.db") as store:
    images = store.create("images", encoder.identity)
    images.upsert(rows)
    hits = images.search(query, limit=10)
"""

from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.collection import Collection
from clipsearch.store.schema import FileState
from clipsearch.store.store import Store

__all__ = ["Collection", "CollectionInfo", "FileState", "Store"]
