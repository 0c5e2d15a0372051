"""Check what a store holds, and restore what is damaged from its image files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from clipsearch.errors import DamagedStoreError
from clipsearch.store import Store
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.milvus_lite.check import FileDamage
from clipsearch.store.milvus_lite.file_backend import FileBackend
from clipsearch.store.row_check import DamagedRow
from clipsearch.store.schema import CATALOG, CHECKSUM, stored_fields
from ingest.restore import Load, is_restored, restore
from ingest.text_check import TextCheck, check_texts


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of one collection found.

    `lost` rows are missing of those that the catalog knows of. `damaged` holds each wrong row with
    what `repair` did: "embedded again …", "removed: …" with the reason, or "" without a repair.
    """

    collection: str
    rows: int
    lost: int
    has_checksums: bool
    damaged: Sequence[tuple[DamagedRow, str]]
    texts: TextCheck = field(default_factory=TextCheck)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not self.damaged and not self.lost and self.texts.is_clean

    @property
    def restored(self) -> int:
        """The number of rows that were embedded again."""
        return sum(is_restored(outcome) for _, outcome in self.damaged)

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "collection": self.collection,
            "rows": self.rows,
            "lost": self.lost,
            "checksums": self.has_checksums,
            "texts": asdict(self.texts),
            "damaged": [
                {
                    "ids": list(row.keys),
                    "path": str(row.path) if row.path else None,
                    "reason": row.reason,
                    "outcome": outcome or None,
                }
                for row, outcome in self.damaged
            ],
        }


def check(store: Store, load: Callable[[str], Load], *, repair: bool) -> Iterator[CheckReport]:
    """Check every collection of a store, and yield its report.

    Without a daemon the file of Milvus Lite 2.5 is checked, page by page and row by row, also if
    Milvus Lite cannot load it. Otherwise the rows are read through Milvus. With `repair`, damaged
    rows are embedded again from their files by the model that `load` returns for a collection, and
    removed if there is no file. Raises DamagedStoreError if the file or its catalog is unusable.
    """
    try:
        yield from _check(store, load, repair=repair)
    except DamagedStoreError as error:
        if isinstance(store.backend, FileBackend) or not store.is_local:
            raise
        raise DamagedStoreError(
            f"{error}; a daemon uses the store now, so stop that first: `clipsearch warm --stop`"
        ) from error


def _check(store: Store, load: Callable[[str], Load], *, repair: bool) -> Iterator[CheckReport]:
    _check_catalog(store, repair=repair)
    for info in store.collections():
        damage = _check_file(store, info)
        if damage is None:
            report = _check_through_milvus(store, info, load(info.name), repair=repair)
        else:
            report = _report_file(store, info, damage, load(info.name), repair=repair)
        if report.is_clean or repair:  # or the rows cannot be compared
            report = replace(report, texts=check_texts(store, info, repair=repair))
        yield report


def _check_catalog(store: Store, *, repair: bool) -> None:
    """Check the pages of the file and the rows of its catalog; remove those that can be spared."""
    if not isinstance(store.backend, FileBackend):
        return
    with store.backend.checking() as file:
        if file is None:
            return
        file.check_pages()
        if file.is_empty():
            return
        damage = file.check_rows(CATALOG, None)
        if not damage.unusable:
            return
        keys = [key for row in damage.unusable for key in row.keys]
        # Roots, failures and row counts are written again; who made a collection is not.
        if not all(key.startswith(("root/", "failure/", "rows/", "archive/")) for key in keys):
            raise DamagedStoreError(
                f"{store.uri} is damaged (its catalog, {keys[0]}): restore a copy, or delete "
                "it and ingest again"
            )
        if not repair:
            raise DamagedStoreError(
                f"{store.uri} is damaged (its catalog, {keys[0]}): `clipsearch check --repair` "
                "removes that entry, and the next ingestion writes it again"
            )
        file.delete_rows(CATALOG, damage.row_ids)


def _check_file(store: Store, info: CollectionInfo) -> FileDamage | None:
    if not isinstance(store.backend, FileBackend):
        return None
    with store.backend.checking() as file:
        return None if file is None else file.check_rows(info.milvus_name, info.model.dim)


def _report_file(
    store: Store, info: CollectionInfo, damage: FileDamage, load: Load, *, repair: bool
) -> CheckReport:
    lost = max(0, info.rows - damage.rows)
    rows = [*damage.unusable, *damage.wrong]
    outcomes = [""] * len(rows)
    if repair and (rows or lost):
        if damage.row_ids:
            assert isinstance(store.backend, FileBackend)
            with store.backend.checking() as file:
                assert file is not None
                file.delete_rows(info.milvus_name, damage.row_ids)
        collection = store.open_incomplete(info.name)
        if collection is not None and rows:
            outcomes = restore(collection, rows, load)
        else:
            store.accept_loss(info.name)
    return _report(info, damage.rows, lost, rows, outcomes)


def _check_through_milvus(
    store: Store, info: CollectionInfo, load: Load, *, repair: bool
) -> CheckReport:
    if lost := store.count_lost(info.name):
        if not repair:
            return _report(info, info.rows - lost, lost, [], [])
        store.accept_loss(info.name)
    collection = store.find(info.name)
    if collection is None:  # all rows are lost
        return _report(info, 0, lost, [], [])
    rows = list(collection.scan_damaged())
    count = collection.count()
    outcomes = restore(collection, rows, load) if repair and rows else [""] * len(rows)
    return _report(info, count, lost, rows, outcomes)


def _report(
    info: CollectionInfo,
    count: int,
    lost: int,
    rows: Sequence[DamagedRow],
    outcomes: Sequence[str],
) -> CheckReport:
    has_checksums = CHECKSUM in stored_fields(info.schema_version)
    damaged = list(zip(rows, outcomes, strict=True))
    return CheckReport(info.name, count, lost, has_checksums, damaged)
