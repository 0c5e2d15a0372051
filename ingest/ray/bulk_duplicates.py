"""Rows with the same id in the files of a bulk import, which would store all of them."""

from typing import Any

import numpy as np

from ingest.ray.bulk_files import BulkFolder

ID_BYTES = 16
KEY = np.dtype(f"V{ID_BYTES}")


def remove_duplicates(folder: BulkFolder, *, rows_at_once: int = 10_000_000) -> int:
    """Keep the last of several rows with one id, as bulk import would store all; return the rest.

    The ids of about `rows_at_once` rows are in memory at once, 50 bytes each.
    """
    import pyarrow as pa

    doubled = _doubled_ids(folder, rows_at_once)
    if not doubled:
        return 0
    removed = 0
    for name in reversed(folder.names()):
        ids = _ids(folder, name)
        kept = np.ones(len(ids), dtype=bool)
        for row in reversed(range(len(ids))):
            if (id_ := bytes(ids[row])) in doubled:
                kept[row] = not doubled[id_]
                doubled[id_] = True
        if kept.all():
            continue
        removed += len(ids) - int(kept.sum())
        if kept.any():
            folder.replace(name, folder.read(name).filter(pa.array(kept)))
        else:
            folder.remove(name)
    return removed


def _doubled_ids(folder: BulkFolder, rows_at_once: int) -> dict[bytes, bool]:
    """Return the ids that several rows have, each with False: none of them was met yet."""
    names = folder.names()
    passes = 1
    doubled: dict[bytes, bool] = {}
    turn = 0
    while turn < passes:
        parts = []
        total = 0
        for name in names:
            ids = _ids(folder, name)
            total += len(ids)
            parts.append(ids[_first_bytes(ids) % passes == turn])
            if turn == 0 and passes * rows_at_once < total:  # more than fit: take a part of them
                passes = min(256, 2 * passes)
                parts = [ids[_first_bytes(ids) % passes == 0] for ids in parts]
        keys, counts = np.unique(np.concatenate([np.empty(0, KEY), *parts]), return_counts=True)
        doubled |= {key.tobytes(): False for key in keys[counts > 1]}
        turn += 1
    return doubled


def _first_bytes(ids: Any) -> Any:
    return ids.view(np.uint8).reshape(-1, ID_BYTES)[:, 0]


def _ids(folder: BulkFolder, name: str) -> Any:
    """Return the ids in a file as (n,) of 16 bytes each."""
    column = folder.read(name, ("id",)).column("id")
    data = bytes.fromhex("".join(column.to_pylist()))
    return np.frombuffer(data, dtype=KEY)
