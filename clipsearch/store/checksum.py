"""The checksum of a row, over its id, its other fields and its vector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clipsearch.types import Vectors


def row_checksum(fields: Mapping[str, Any], vector: Vectors | Sequence[float]) -> int:
    """Return 64 bits of BLAKE2b over the fields of a row, in any order, and its (d,) vector.

    A signed integer, as Milvus stores it. Fields are integers, strings, lists
    of strings, or objects of JSON.
    """
    # JSON, as `repr` depends on the version of Python. pymilvus has its own class of lists.
    text = json.dumps(fields, sort_keys=True, default=list)
    digest = hashlib.blake2b(text.encode(), digest_size=8)
    digest.update(np.asarray(vector, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest(), "little", signed=True)
