"""What `clipsearch index` shows: an index, its cost, and what would be better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from clipsearch.store.capabilities import Capabilities
from clipsearch.store.collection import Collection
from clipsearch.store.index.choice import AUTO, choose_kind, suggest_kind
from clipsearch.store.index.kinds import INDEX_KINDS
from clipsearch.store.index.operations import IndexState
from clipsearch.store.index.settings import IndexSettings, Tuning


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The index of a collection, as Milvus describes it and as the catalog knows it.

    `pending_rows` are those that it does not cover yet. `ram_bytes` and `disk_bytes` are estimates
    for all rows with this kind, None for an unknown one. `auto` is the kind that a new index would
    get, `suggested` a better one for so many rows.
    """

    name: str
    rows: int
    settings: IndexSettings
    state: IndexState
    pending_rows: int
    ram_bytes: int | None
    disk_bytes: int | None
    auto: str
    suggested: str | None

    @property
    def tuning(self) -> Tuning | None:
        """What was measured on an index of this kind."""
        return self.settings.tuning

    @property
    def is_stale(self) -> bool:
        """Whether the collection has outgrown what was measured."""
        return self.tuning is not None and self.tuning.is_stale(self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "name": self.name,
            "rows": self.rows,
            "kind": self.state.kind or self.state.index_type,
            "recorded_kind": self.settings.kind,
            "params": dict(self.state.params),
            "properties": dict(self.state.properties),
            "pending_rows": self.pending_rows,
            "ram_bytes": self.ram_bytes,
            "disk_bytes": self.disk_bytes,
            "wanted_recall": self.settings.recall,
            "tuning": asdict(self.tuning) if self.tuning else None,
            "stale": self.is_stale,
            "auto": self.auto,
            "suggested": self.suggested,
        }


def report_index(collection: Collection, capabilities: Capabilities) -> IndexReport:
    """Describe the index of a collection."""
    settings, state = collection.index.settings, collection.index.describe()
    rows = collection.count()
    spec = INDEX_KINDS.get(state.kind or "")
    dim = collection.info.model.dim
    suggested = suggest_kind(state.kind or "", capabilities, rows=rows, recall=settings.recall)
    return IndexReport(
        name=collection.info.name,
        rows=rows,
        settings=settings,
        state=state,
        pending_rows=collection.index.coverage().pending_rows,
        ram_bytes=rows * spec.ram_bytes(dim) if spec else None,
        disk_bytes=rows * spec.disk_bytes(dim) if spec else None,
        auto=choose_kind(AUTO, capabilities, rows=rows, recall=settings.recall).name,
        suggested=suggested.name if suggested else None,
    )
