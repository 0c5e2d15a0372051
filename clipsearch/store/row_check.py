"""Checks of a stored row: its checksum, its id and the length of its vector."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipsearch.images.hashing import image_id
from clipsearch.records import Metadata
from clipsearch.store.checksum import row_checksum
from clipsearch.store.schema import CHECKSUM, EMBEDDING, METADATA, Entity, decode_path, to_image_row
from clipsearch.types import ImageRow

log = logging.getLogger("clipsearch")

ADVICE = "`clipsearch check` finds what is wrong, and `clipsearch check --repair` restores it"

LENGTH_ERROR = 2e-3
"""Twice what a write accepts, as the sum of squares is rounded."""


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row that is wrong.

    `keys` are the ids under which it is stored; `path` and `metadata` are None if they cannot be
    read, and what they say may be wrong.
    """

    keys: tuple[str, ...]
    path: Path | None
    reason: str
    metadata: Metadata | None = field(default=None, hash=False)


def find_problem(entity: Entity, dim: int) -> str | None:
    """Return why a row with all its fields is wrong, or None.

    Rows of collections of older versions have no checksum.
    """
    vector = np.asarray(entity[EMBEDDING], dtype=np.float32)
    if not is_sound(entity):
        return "its checksum is wrong"
    if image_id(decode_path(entity["path"])) != entity["id"]:
        return "its id is not that of its path"
    if vector.shape != (dim,):
        return f"its vector has {len(vector)} dimensions instead of {dim}"
    length = float(np.linalg.norm(vector))
    if not abs(length - 1) <= LENGTH_ERROR:  # also true for NaN
        return f"its vector has length {length:.4g} instead of 1"
    return None


def find_damaged(entities: Iterable[Entity], dim: int) -> Iterator[DamagedRow]:
    """Yield those of some rows with all their fields that are wrong."""
    for entity in entities:
        if reason := find_problem(entity, dim):
            path = decode_path(entity["path"])
            yield DamagedRow((str(entity["id"]),), path, reason, stored_metadata(entity))


def stored_metadata(entity: Entity) -> Metadata | None:
    """Return the metadata in a damaged row; None if it cannot be read."""
    values = entity.get(METADATA)
    return values if isinstance(values, dict) else None


class SoundRows:
    """Makes image rows of what a collection holds, without those whose checksum is wrong.

    Otherwise `tag`, or a copy of a file, would write a damaged row again with a new checksum.
    """

    def __init__(self, uri: str, name: str) -> None:
        """Name the collection of the warning."""
        self._place = f"the collection {name!r} in {uri}"
        self._has_warned = False

    def read(self, entities: Iterable[Entity]) -> Iterator[ImageRow]:
        """Yield the rows of entities with all their fields; warn of the first damaged one."""
        for entity in entities:
            if is_sound(entity):
                yield to_image_row(entity)
            else:
                self.warn(entity)

    def warn(self, entity: Entity) -> None:
        """Log that a row is damaged, unless a warning was logged before."""
        if not self._has_warned:
            self._has_warned = True
            path = decode_path(entity["path"])
            log.warning(f"%s is damaged, the row of %s among others: {ADVICE}", self._place, path)


def is_sound(entity: Entity) -> bool:
    """Tell whether the checksum of a row with all its fields is right, or there is none."""
    fields = {name: value for name, value in entity.items() if name not in (CHECKSUM, EMBEDDING)}
    return CHECKSUM not in entity or row_checksum(fields, entity[EMBEDDING]) == entity[CHECKSUM]
