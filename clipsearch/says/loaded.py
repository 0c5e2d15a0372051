"""The text indexes that this process has loaded, for all its sessions."""

from __future__ import annotations

import threading

from clipsearch.says.text_index import TextIndex
from clipsearch.store.texts import TextRows

MOST = 4
"""Collections whose texts stay in memory: 100,000 texts of 100 words take 0.1 GB."""

_lock = threading.Lock()
_indexes: dict[tuple[str, str], TextIndex] = {}


def text_index(texts: TextRows) -> TextIndex:
    """Return the index of some texts, up to date; the first call reads all of them."""
    key = _key(texts)
    with _lock:
        index = _indexes.pop(key, None) or TextIndex()
        _indexes[key] = index  # the last one is the most recently used
        for oldest in list(_indexes)[:-MOST]:
            del _indexes[oldest]
    index.refresh(texts)
    return index


def loaded_text_index(texts: TextRows) -> TextIndex | None:
    """Return the index of some texts if it was loaded, as it was at its last use."""
    with _lock:
        index = _indexes.get(_key(texts))
    return index if index is not None and index.is_loaded else None


def _key(texts: TextRows) -> tuple[str, str]:
    return texts.store[0], texts.milvus_name
