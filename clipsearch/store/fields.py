"""The fields of a Milvus collection."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIST_TEXT_BYTES = 1_024
"""Of each text in a list."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a collection of Milvus is made of.

    `texts` are VARCHAR fields with their length in bytes, the first of them the primary key;
    `numbers` are INT64; `vector` is a FLOAT_VECTOR of `dim`; `lists` are ARRAYs of that many VARCHARs
    of up to LIST_TEXT_BYTES. `graph` asks servers for an HNSW index
    instead of a plain scan, which is all that Milvus Lite has.
    """

    texts: Mapping[str, int]
    numbers: tuple[str, ...]
    vector: str
    dim: int
    graph: bool
    lists: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The primary key."""
        return next(iter(self.texts))

    @property
    def names(self) -> frozenset[str]:
        """All fields."""
        return frozenset([*self.texts, *self.numbers, *self.lists, self.vector])
