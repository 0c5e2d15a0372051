"""The rows of a collection of texts: reading, writing, and following their images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipsearch.batching import batches
from clipsearch.images.hashing import image_id
from clipsearch.records import MAX_RESULTS
from clipsearch.store import filters
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.paging import KEYS, Scanner
from clipsearch.store.schema import Entity
from clipsearch.store.texts.schema import (
    READER,
    ROW_FIELDS,
    SCHEMA,
    STATE_FIELDS,
    TEXT,
    WRITTEN_AT,
    TextRow,
    TextState,
    texts_name,
    to_entity,
    to_row,
    to_state,
)
from clipsearch.store.turns import wait_for_turn
from clipsearch.types import Failure

WRITE_ROWS = 256
"""Rows of one write: a row may have 190 KB."""

PAGE_DIM = 1_024
"""Texts take about as much as vectors of so many dimensions, for the size of pages."""

WORDS_DIM = 32
"""The same without lines: Milvus Lite reads 100,000 in 1.6 s in pages of 4,000, in 9 of 500."""

log = logging.getLogger("clipsearch")


class TextRows:
    """The texts of one collection of images, by the ids of these. For one thread at a time.

    There may be none: then reads find nothing, and the first write creates the collection. Whether
    a text is that of its image's present content, the caller compares: see `TextRow`.
    """

    def __init__(self, backend: Backend, collection: str) -> None:
        """Make no call. `collection` is the name that users know."""
        self.milvus_name = texts_name(collection)
        self._backend = backend
        self._catalog = Catalog(backend)
        self._scanner = Scanner(backend, self.milvus_name, PAGE_DIM)
        self._words_scanner = Scanner(backend, self.milvus_name, WORDS_DIM)
        self._is_known_to_exist = False

    @property
    def store(self) -> tuple[str, Path | None]:
        """The URI of the store, and its file if it is local."""
        return self._backend.uri, self._backend.path

    def exist(self) -> bool:
        """Tell whether any text was ever stored."""
        if not self._is_known_to_exist:
            self._is_known_to_exist = self.milvus_name in self._backend.collection_names()
        return self._is_known_to_exist

    def count(self, condition: str = "") -> int:
        """Count the images that were read, also those without text."""
        return self._backend.count(self.milvus_name, condition) if self.exist() else 0

    def get(self, ids: Sequence[str]) -> dict[str, TextRow]:
        """Return the texts of the images with these ids; those not read are absent."""
        if not ids or not self.exist():
            return {}
        found = self._scanner.by_ids(ids, ROW_FIELDS, vectors=True)
        return {row.id: row for row in _sound_rows(found)}

    def states(self, ids: Sequence[str]) -> dict[str, TextState]:
        """Return the states of the texts of these images; those not read are absent."""
        if not ids or not self.exist():
            return {}
        found = self._scanner.by_ids(ids, STATE_FIELDS, vectors=False)
        return {entity["id"]: to_state(entity) for entity in found}

    def find_by_content(self, hashes: Iterable[str], reader: str = "") -> dict[str, TextRow]:
        """Return one text of each content hash, by this reader if one is given.

        Contents that were not read are absent.
        """
        if not self.exist():
            return {}
        rows: dict[str, TextRow] = {}
        by_reader = filters.text_in(READER, [reader]) if reader else ""
        for batch in batches(dict.fromkeys(hashes), KEYS // 4):
            condition = filters.all_of(filters.content_in(batch), by_reader)
            found = self._scanner.read_range(condition, ROW_FIELDS, vectors=True)
            rows |= {row.content_hash: row for row in _sound_rows(found)}
        return rows

    def candidates(self, condition: str, limit: int = MAX_RESULTS) -> list[TextRow]:
        """Return up to `limit` texts that match a condition on the fields of the schema."""
        if not self.exist():
            return []
        found = self._backend.query(self.milvus_name, condition, ROW_FIELDS, limit)
        return list(_sound_rows(found))

    def scan(self, condition: str = "") -> Iterator[TextRow]:
        """Yield every matching text once, in no defined order, a page in memory at a time."""
        if self.exist():
            yield from _sound_rows(self._scanner.scan(condition, ROW_FIELDS, vectors=True))

    def find_damaged(self) -> Iterator[str]:
        """Yield the ids of texts whose lines cannot be decoded."""
        if self.exist():
            for entity in self._scanner.scan("", ROW_FIELDS, vectors=True):
                if _decode(entity) is None:
                    yield entity["id"]

    def scan_states(self, condition: str = "") -> Iterator[TextState]:
        """Yield the state of every matching text, in no defined order."""
        if self.exist():
            yield from map(to_state, self._scanner.scan(condition, STATE_FIELDS, vectors=False))

    def scan_values(self, names: Sequence[str], condition: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the values of these fields, not the lines, of every matching text."""
        if self.exist():
            for entity in self._words_scanner.scan(condition, names, vectors=True):
                yield tuple(entity[name] for name in names)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other process writes, and keep others from it meanwhile."""
        wait_for_turn(self._backend)
        try:
            yield
        finally:
            self._backend.end_writes()

    def create(self) -> None:
        """Create the collection, unless it exists."""
        if not self.exist():
            self._backend.create(self.milvus_name, SCHEMA, "flat")

    def scan_words(
        self, *, after: int | None = None, ids: Sequence[str] = ()
    ) -> Iterator[tuple[str, int, str]]:
        """Yield id, time of writing and text in search form, of all or only some texts.

        Those written after a time, in ns, or those of at most KEYS images.
        """
        condition = "" if after is None else f"{WRITTEN_AT} > {after}"
        if ids:
            condition = filters.id_in(ids)
        yield from self.scan_values(("id", WRITTEN_AT, TEXT), condition)

    def upsert(self, rows: Sequence[TextRow]) -> None:
        """Write texts, replacing those of the same images; too long ones are cut."""
        if not rows:
            return
        self.create()
        entities = list({row.id: to_entity(row) for row in rows}.values())
        for batch in batches(entities, WRITE_ROWS):
            self._backend.upsert(self.milvus_name, batch)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the texts of these images, and their failures; unknown ids are not an error."""
        if ids and self.exist():
            self._backend.delete(self.milvus_name, list(dict.fromkeys(ids)))
            deleted = set(ids)
            paths = [failure.path for failure in self.failures()]
            self.remove_failures([path for path in paths if image_id(path) in deleted])

    def failures(self) -> list[Failure]:
        """Return the images that could not be read, by path."""
        return self._catalog.failures(self.milvus_name) if self.exist() else []

    def add_failures(self, failures: Sequence[Failure]) -> None:
        """Remember images that could not be read, each with its last reason only."""
        if failures:
            self.create()
            self._catalog.add_failures(self.milvus_name, failures)

    def remove_failures(self, paths: Sequence[Path]) -> None:
        """Forget images that were read or removed; others are not an error."""
        if paths:
            self._catalog.remove_failures(self.milvus_name, paths)

    def flush(self) -> None:
        """Make a server seal what was written."""
        if self.exist():
            self._backend.flush(self.milvus_name)

    def drop(self) -> None:
        """Delete all texts and failures."""
        if self.exist():
            self._catalog.remove_generation(self.milvus_name)
            self._backend.drop(self.milvus_name)
            self._is_known_to_exist = False

    def follow(self, contents: Mapping[str, str]) -> None:
        """Give images with a new content, by id, the text that was read in it.

        If it was read in no image, the text of their earlier content is deleted.
        """
        states = self.states(list(contents))
        changed = {
            id_: content
            for id_, content in contents.items()
            if id_ not in states or states[id_].content_hash != content
        }
        known = self.find_by_content(changed.values()) if changed else {}
        rows = [
            TextRow(id_, content, known[content].text)
            for id_, content in changed.items()
            if content in known
        ]
        self.upsert(rows)
        self.delete([id_ for id_ in changed if id_ in states and changed[id_] not in known])


def _sound_rows(entities: Iterable[Entity]) -> Iterator[TextRow]:
    """Yield the rows of entities; damaged ones are left out and logged."""
    for entity in entities:
        if (row := _decode(entity)) is not None:
            yield row
        else:
            log.warning("the text of the image %s is damaged: `clipsearch check`", entity["id"])


def _decode(entity: Entity) -> TextRow | None:
    try:
        return to_row(entity)
    except ValueError:
        return None
