"""The kinds of vector index: Milvus's name, build and search parameters, and their cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from clipsearch.records import MAX_RESULTS

Params: TypeAlias = dict[str, int | float | str | bool]

METRIC = "IP"
"""Inner product. For vectors of length 1 it is the cosine, in two thirds of the time on Lite."""

MANAGED = "autoindex"
"""The kind that Zilliz Cloud has instead of all others."""

LISTS = 1_024
"""Lists of an IVF index: about 4 × √n for a sealed segment of a server, which has 100,000 rows."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The search parameter that trades time for recall, and how far it may go.

    `least` is what a search for a few results takes unless the collection was tuned, and `most` the
    highest value that Milvus accepts. `per_result` is how much each further result needs: a graph
    must visit more nodes than it returns.
    """

    name: str
    least: int
    most: int
    per_result: float = 2.0
    lowest: int = 1


@dataclass(frozen=True, slots=True)
class IndexKind:
    """One kind of index. Bytes are those of one vector: `*_per_dim` × dimensions + `*_per_row`.

    `since` is the first version of a server that has it, None for none, and `lite` the major
    versions of Milvus Lite. An index without `effort` is exact. `extra` are search parameters that
    stay as they are. `most_results` is the highest limit + offset of a search.
    """

    name: str
    index_type: str
    summary: str
    since: tuple[int, int, int] | None
    ram_per_dim: float
    ram_per_row: float = 0.0
    disk_per_dim: float = 0.0
    disk_per_row: float = 0.0
    lite: frozenset[int] = frozenset()
    build: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))
    effort: Effort | None = None
    extra: Mapping[str, int | float | str | bool] = field(
        default_factory=lambda: MappingProxyType({})
    )
    most_results: int = MAX_RESULTS

    def ram_bytes(self, dim: int) -> int:
        """Return the bytes of memory that a loaded vector of `dim` float32 takes."""
        return round(self.ram_per_dim * dim + self.ram_per_row)

    def disk_bytes(self, dim: int) -> int:
        """Return the bytes of local disk that a loaded vector takes; 0 if it is all in memory."""
        return round(self.disk_per_dim * dim + self.disk_per_row)


_GRAPH = {"M": 16, "efConstruction": 200}
_EF = Effort("ef", least=128, most=32_768)
_PROBES = Effort("nprobe", least=64, most=LISTS, per_result=1 / 16)
_SEARCH_LIST = Effort("search_list", least=100, most=65_535)

_KINDS = (
    IndexKind(
        "flat",
        "FLAT",
        "exact scan",
        since=(2, 0, 0),
        lite=frozenset({2, 3}),
        ram_per_dim=4,
    ),
    IndexKind(
        "hnsw",
        "HNSW",
        "graph of neighbors over whole vectors",
        since=(2, 0, 0),
        lite=frozenset({3}),
        ram_per_dim=4,
        ram_per_row=144,
        build=_GRAPH,
        effort=_EF,
    ),
    IndexKind(
        "hnsw_sq8",
        "HNSW_SQ",
        "graph of neighbors over vectors of one byte a dimension",
        since=(2, 5, 0),
        ram_per_dim=1,
        ram_per_row=144,
        build={**_GRAPH, "sq_type": "SQ8"},
        effort=_EF,
    ),
    IndexKind(
        "ivf_flat",
        "IVF_FLAT",
        "clusters of whole vectors",
        since=(2, 0, 0),
        # Milvus Lite 2.5 accepts it, but scans all rows all the same: recall 1 with nprobe 1.
        lite=frozenset({3}),
        ram_per_dim=4,
        ram_per_row=29,
        build={"nlist": LISTS},
        effort=_PROBES,
    ),
    IndexKind(
        "ivf_sq8",
        "IVF_SQ8",
        "clusters of vectors of one byte a dimension",
        since=(2, 0, 0),
        lite=frozenset({3}),
        ram_per_dim=1,
        ram_per_row=29,
        build={"nlist": LISTS},
        effort=_PROBES,
    ),
    IndexKind(
        "ivf_rabitq",
        "IVF_RABITQ",
        "clusters of vectors of one bit a dimension, refined with one byte a dimension",
        since=(2, 6, 0),
        ram_per_dim=1.125,
        ram_per_row=58,
        # pymilvus would send True as "True", which the parsers of Milvus need not know.
        build={"nlist": LISTS, "refine": "true", "refine_type": "SQ8"},
        effort=_PROBES,
        extra={"refine_k": 4.0},  # candidates for each result; 1 leaves nothing to refine
    ),
    IndexKind(
        "diskann",
        "DISKANN",
        "graph and whole vectors on NVMe, codes of 1/8 of their size in memory",
        since=(2, 2, 0),
        ram_per_dim=0.5,
        disk_per_dim=4,
        disk_per_row=228,
        effort=_SEARCH_LIST,
    ),
    IndexKind(
        "aisaq",
        "AISAQ",
        "graph, whole vectors and codes on NVMe, almost nothing in memory",
        since=(2, 6, 4),
        ram_per_dim=0.01,
        disk_per_dim=4.5,
        disk_per_row=228,
        effort=_SEARCH_LIST,
    ),
    IndexKind(
        "gpu_cagra",
        "GPU_CAGRA",
        "graph in the memory of a GPU, for servers with one; at most 1,024 results",
        since=(2, 4, 0),
        ram_per_dim=4,
        ram_per_row=256,
        build={"intermediate_graph_degree": 64, "graph_degree": 32},
        effort=Effort("itopk_size", least=128, most=1_024, lowest=32),
        most_results=1_024,
    ),
    IndexKind(
        MANAGED,
        "AUTOINDEX",
        "what Zilliz Cloud chooses itself",
        since=None,
        ram_per_dim=4,
        effort=Effort("level", least=1, most=10, per_result=0),
    ),
)

INDEX_KINDS: Mapping[str, IndexKind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All kinds by name."""
