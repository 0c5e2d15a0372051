"""Damage of a closed store that `check --repair` restores: wrong fields and unreadable rows."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.schema import SCHEMA_VERSION, to_entity
from ingest.check import check
from tests.helpers.fakes import ColorEncoder
from tests.torture.victim import NAME

WRONG, UNREADABLE = 30, 10
"""Rows with another size than that of their checksum, and rows that Milvus Lite cannot load."""


def damage(path: Path, choice: random.Random, *, unreadable: bool) -> None:
    """Damage some rows of the collection NAME."""
    with Store.open(path) as store:
        rows = choice.sample(list(store.collection(NAME).scan_rows()), WRONG + UNREADABLE)
        entities = [to_entity(row, SCHEMA_VERSION) for row in rows]
        store.backend.upsert(NAME, [{**entity, "size": 1} for entity in entities[:WRONG]])
    if not unreadable:
        return
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            f'UPDATE "{NAME}" SET data = ? WHERE milvus_id = ?',
            [(b"\x0a\xff", entity["id"]) for entity in entities[WRONG:]],
        )


def repair(path: Path) -> int:
    """Run `check --repair`; return how many rows it reports as lost or removed."""
    with open_store(path, single_query=True, daemon=False) as store:
        reports = list(check(store, lambda _: ColorEncoder, repair=True))
        return sum(report.lost + len(report.damaged) - report.restored for report in reports)
