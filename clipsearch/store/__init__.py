"""Where photos and their vectors are kept: Milvus Lite on a file, or a Milvus server.

with Store.open("photos.db") as store:
    photos = store.create("photos", encoder.identity)
    photos.upsert(rows)
    hits = photos.search(query, limit=10)
"""

from clipsearch.store.catalog import CollectionInfo
from clipsearch.store.collection import Collection
from clipsearch.store.schema import FileState
from clipsearch.store.store import Store

__all__ = ["Collection", "CollectionInfo", "FileState", "Store"]
