"""The catalog: a small Milvus collection with metadata of all others.

    collection/NAME       the generation in use: model, schema version (of rows and catalog), time,
                          name in Milvus; also the previous generation, and the next one
    rows/MILVUS_NAME      a lower bound of its rows
    root/MILVUS_NAME/ID   a folder that was ingested
    root/MILVUS_NAME/ID/mount   the mount point of a disk with such folders
    failure/MILVUS_NAME/ID      a file that could not be ingested, and the reason
    archive/MILVUS_NAME/ID      an archive whose images were ingested, and its size and time
    index/MILVUS_NAME           the kind of its index, and the recall that is wanted
    index/MILVUS_NAME/tuning    what `clipsearch tune` measured
    textness/HASH         the textness probe of a model, for all its collections
    calibration/HASH      the calibration of a model, for all its collections; its parts are below

Values that change often have keys of their own. A reindex replaces the entry of a collection by one
upsert, so that every reader finds the old generation or the new one. Milvus Lite keeps no
collection properties (2.5) or descriptions (3.2), so a collection is the only way that works
everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clipsearch.consistency import Consistency
from clipsearch.images.hashing import image_id
from clipsearch.models.base import ModelIdentity
from clipsearch.store import catalog_entry
from clipsearch.store.archive_ledger import ArchiveLedger
from clipsearch.store.backend import Backend
from clipsearch.store.catalog_entry import CollectionInfo, Generation
from clipsearch.store.index.settings import IndexSettings, read_settings
from clipsearch.store.key_values import KeyValues
from clipsearch.store.long_text import LongText
from clipsearch.store.schema import SCHEMA_VERSION, encode_path
from clipsearch.types import Failure


class Catalog:
    """The keys and values of one store; the first write creates it."""

    def __init__(self, backend: Backend, consistency: Consistency | None = None) -> None:
        """Make no call: reads check whether the catalog exists."""
        self._backend = backend
        self._values = KeyValues(backend, consistency)

    @property
    def strong(self) -> Catalog:
        """The same catalog, whose reads include every write of every process."""
        return Catalog(self._backend, "strong")

    def names(self) -> list[str]:
        """List the collections that have an entry."""
        return sorted(key.partition("/")[2] for key in self._values.read("collection/"))

    def info(self, name: str, milvus_name: str | None = None) -> CollectionInfo | None:
        """Return a collection's entry, or None; raise StoreError on one of a newer version.

        It describes the generation in use, or with a `milvus_name` that one, which may also be the
        next one. Nothing may be written to others, for which this returns None.
        """
        key = f"collection/{name}"
        values = self._values.get([key, *catalog_entry.state_keys(milvus_name or name)])
        if key not in values:
            return None
        entry = catalog_entry.find_generation(name, values[key], milvus_name)
        if entry is None:
            return None
        stored = catalog_entry.stored_name(name, entry)
        if stored != (milvus_name or name):
            values = self._values.get(catalog_entry.state_keys(stored))
        return self._to_info(name, entry, values)

    def generation_info(self, name: str, generation: Generation) -> CollectionInfo:
        """Return what is known of any generation, as the entry of its collection."""
        values = self._values.get(catalog_entry.state_keys(generation.milvus_name))
        return self._to_info(name, generation.to_json(), values)

    def current_name(self, name: str) -> str | None:
        """Return the collection in Milvus of the generation in use, or None: one short read."""
        entry = self._values.get([key := f"collection/{name}"]).get(key)
        return None if entry is None else catalog_entry.stored_name(name, entry)

    def next_name(self, name: str) -> str | None:
        """Return the collection in Milvus of the next generation, or None: one short read."""
        entry = self._values.get([key := f"collection/{name}"]).get(key) or {}
        following = entry.get("next")
        return following["milvus_name"] if following else None

    def infos(self) -> list[CollectionInfo]:
        """Return all entries by name, without those of a newer version."""
        entries = sorted(self._values.read("collection/").items())
        values = self._values.read("rows/") | self._values.read("index/")
        return [
            self._to_info(key.partition("/")[2], entry, values)
            for key, entry in entries
            if not catalog_entry.is_newer(entry)
        ]

    def generation_names(self, name: str) -> list[str]:
        """Return the collections in Milvus of all generations of a collection, see `Generation`."""
        entry = self._values.get([key := f"collection/{name}"]).get(key, {})
        return catalog_entry.generation_names(name, entry)

    def milvus_names(self) -> dict[str, str]:
        """Return the user's name of each collection in Milvus that an entry names."""
        return {
            stored: key.partition("/")[2]
            for key, entry in self._values.read("collection/").items()
            for stored in catalog_entry.generation_names(key.partition("/")[2], entry)
        }

    def add(
        self,
        name: str,
        model: ModelIdentity,
        index: IndexSettings,
        schema_version: int | None = None,
    ) -> CollectionInfo:
        """Add an entry for a new collection; raise StoreError on one of a newer version.

        The version of its schema is the present one if it is None.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        version = SCHEMA_VERSION if schema_version is None else schema_version
        entry = Generation(name, model, version, now).to_json()
        info = catalog_entry.to_info(name, entry, 0, {}, index)
        state = {f"rows/{name}": 0, **catalog_entry.index_values(name, index)}
        self._values.write({**state, f"collection/{name}": entry})
        return info

    def set_generations(
        self,
        name: str,
        current: Generation,
        *,
        previous: Generation | None,
        next: Generation | None,  # noqa: A002 - as in CollectionInfo
        is_catching_up: bool = False,
    ) -> None:
        """Replace an entry in one step: all readers find the generations before, or these."""
        others = {"previous": previous, "next": next}
        entry = current.to_json() | {key: g.to_json() for key, g in others.items() if g}
        if is_catching_up:
            entry[catalog_entry.CATCHING_UP] = True
        self._values.write({f"collection/{name}": entry})

    def has_rows(self, milvus_name: str) -> bool:
        """Tell whether there is a lower bound of rows: it is written once rows may be."""
        return bool(self._values.get([f"rows/{milvus_name}"]))

    def remove(self, name: str) -> None:
        """Delete everything about a collection, its entry last."""
        for stored in self.generation_names(name):
            self.remove_generation(stored)
        self.remove_entry(name)

    def remove_entry(self, name: str) -> None:
        """Delete an entry, when everything else of the collection is deleted."""
        self._values.delete([f"collection/{name}"])

    def remove_generation(self, milvus_name: str) -> None:
        """Delete everything about one generation but the entry of its collection."""
        keys = [
            *self._values.read(f"failure/{milvus_name}/"),
            *self._values.read(f"root/{milvus_name}/"),
            *self._values.read(f"archive/{milvus_name}/"),
        ]
        self._values.delete([*keys, *catalog_entry.state_keys(milvus_name)])

    def set_rows(self, name: str, rows: int) -> None:
        """Set the lower bound of a collection's rows."""
        self._values.write({f"rows/{name}": rows})

    def accept_loss(self, milvus_name: str, rows: int) -> None:
        """Expect no more than these rows, and let all archives be read again: any may lack some."""
        self.archives(milvus_name).clear()  # first, or a kill before the next line hides the loss
        self.set_rows(milvus_name, rows)

    def set_index(self, milvus_name: str, index: IndexSettings) -> None:
        """Set the kind of an index, and what was measured on it."""
        self._values.write(catalog_entry.index_values(milvus_name, index))

    def add_roots(self, name: str, roots: Sequence[Path], mounts: Sequence[Path]) -> None:
        """Add folders that were ingested, and the mount points of their disks."""
        values = {f"root/{name}/{image_id(root)}": encode_path(root) for root in roots}
        points = {f"root/{name}/{image_id(point)}/mount": encode_path(point) for point in mounts}
        self._values.write(values | points)

    def remove_roots(self, name: str, paths: Sequence[Path]) -> None:
        """Delete folders and mount points."""
        keys = [f"root/{name}/{image_id(path)}" for path in paths]
        self._values.delete([*keys, *(f"{key}/mount" for key in keys)])

    def add_failures(self, name: str, failures: Sequence[Failure]) -> None:
        """Add files that could not be ingested, each with its last reason only."""
        to_json = catalog_entry.failure_json
        self._values.write({f"failure/{name}/{image_id(f.path)}": to_json(f) for f in failures})

    def remove_failures(self, name: str, paths: Sequence[Path]) -> None:
        """Delete the failures of these files; others are not an error."""
        self._values.delete([f"failure/{name}/{image_id(path)}" for path in paths])

    def failures(self, name: str) -> list[Failure]:
        """Return all failures, by path."""
        failures = map(catalog_entry.to_failure, self._values.read(f"failure/{name}/").values())
        return sorted(failures, key=lambda failure: failure.path)

    def archives(self, name: str) -> ArchiveLedger:
        """Return the archives that were ingested."""
        return ArchiveLedger(self._values, name)

    def textness(self, model: ModelIdentity) -> dict[str, Any] | None:
        """Return the probe stored for a model as JSON, or None."""
        return self._values.get([key := catalog_entry.textness_key(model)]).get(key)

    def set_textness(self, model: ModelIdentity, probe: dict[str, Any]) -> None:
        """Store a probe for a model, replacing an earlier one."""
        self._values.write({catalog_entry.textness_key(model): probe})

    def calibration(self, model: ModelIdentity) -> LongText:
        """Return the calibration of a model, as text; makes no call yet."""
        return LongText(self._values, catalog_entry.calibration_key(model))

    def _to_info(
        self, name: str, entry: Mapping[str, Any], values: Mapping[str, Any]
    ) -> CollectionInfo:
        stored = catalog_entry.stored_name(name, entry)
        rows, index, tuning = map(values.get, catalog_entry.state_keys(stored))
        settings = read_settings(index, tuning, is_local=self._backend.path is not None)
        roots = self._values.read(f"root/{stored}/")
        return catalog_entry.to_info(name, entry, rows or 0, roots, settings)
