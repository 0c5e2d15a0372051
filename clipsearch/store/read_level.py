"""Which level of consistency a read asks a server for, so that it includes our own writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from clipsearch.consistency import Consistency

_numbers = count()
_unseen: dict[tuple[str, str], int] = {}
"""URI and collection → number of the last write of this process that no strong read has seen."""


def note_write(uri: str, collection: str) -> None:
    """Note that a collection was written."""
    _unseen[uri, collection] = next(_numbers)


@contextmanager
def reading(uri: str, collection: str, consistency: Consistency) -> Iterator[str]:
    """Yield Milvus's name of the level for a read of a collection.

    A session reads strongly once after its writes. What that read has waited for, all later reads
    include. Milvus's own level Session misses deletions, as 2.3.5 does not tell their time.
    """
    number = _unseen.get((uri, collection))
    level = consistency
    if consistency == "session":
        level = "bounded" if number is None else "strong"
    yield level.capitalize()
    if level == "strong" and _unseen.get((uri, collection)) == number:
        _unseen.pop((uri, collection), None)
