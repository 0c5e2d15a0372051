"""The texts of a collection in the memory of this process, kept up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import StoreError
from clipsearch.images.process_memory import total_memory, used_memory
from clipsearch.says.parser import Part
from clipsearch.says.segment import MAX_TEXTS, Segment
from clipsearch.says.tokens import Token
from clipsearch.store.paging import KEYS
from clipsearch.store.schema import ID_LENGTH
from clipsearch.store.texts import TextRows
from clipsearch.store.texts.schema import WRITTEN_AT

SMALL_TEXTS = 2_048
"""A segment with fewer texts is indexed anew, together with the next texts."""

MOST_MEMORY = 0.75
"""The part of the memory of the machine that this process may have while it reads texts."""

COMPARISON_SECONDS = 30.0
"""How often the ids of a server are compared at most, which takes 0.6 s for 100,000."""

FileStamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """The images whose texts match, best first: ids, and qualities 0..1, as (n,) arrays."""

    ids: NDArray[np.bytes_]
    qualities: NDArray[np.float64]


class _Part:
    """A segment with the ids of its texts, and which of them are still those of the images."""

    def __init__(self, rows: Sequence[tuple[str, int, str]]) -> None:
        self.rows = rows if len(rows) < SMALL_TEXTS else ()
        self.ids = np.array([id_ for id_, _, _ in rows], dtype=f"S{ID_LENGTH}")
        self.written_at = np.array([at for _, at, _ in rows], dtype=np.int64)
        self.is_present = np.ones(len(rows), dtype=bool)
        self.segment = Segment([text for _, _, text in rows])

    def present_rows(self) -> list[tuple[str, int, str]]:
        return [
            row for row, is_present in zip(self.rows, self.is_present, strict=True) if is_present
        ]


class TextIndex:
    """The texts of one collection. For several threads."""

    def __init__(self) -> None:
        """Hold nothing before `refresh`."""
        self._lock = threading.Lock()
        self._parts: list[_Part] = []
        self._places: dict[str, tuple[_Part, int]] = {}
        self._newest = -1
        self._stamp: FileStamp | None = None
        self._compared = -COMPARISON_SECONDS
        self._last: tuple[Sequence[Part], Found] | None = None  # for the next page, and reasons
        self.is_loaded = False
        """Whether all texts were read."""

    def __len__(self) -> int:
        """Return the number of images that were read."""
        return len(self._places)

    def refresh(self, texts: TextRows) -> None:
        """Read what was written since the last time."""
        with self._lock:
            stamp = _stamp(texts.store[1])
            if self.is_loaded and stamp is not None and stamp == self._stamp:
                return
            try:
                self._read_new(texts)
            except BaseException:  # what was read is not all up to some time
                self._clear()
                raise
            self._stamp = stamp
            self.is_loaded = True

    def search(self, parts: Sequence[Part]) -> Found:
        """Return all images that show some words, the best match first, then short texts."""
        with self._lock:
            if self._last is None or self._last[0] != parts:
                self._last = parts, self._search(parts)
            return self._last[1]

    def count(self, tokens: Sequence[Token]) -> int:
        """Count the images that show tokens one after another, as whole words."""
        with self._lock:
            return sum(part.segment.count(tokens, part.is_present) for part in self._parts)

    def segments(self) -> list[Segment]:
        """Return the segments, with their vocabularies."""
        return [part.segment for part in self._parts]

    def _search(self, parts: Sequence[Part]) -> Found:
        chosen = []
        for part in self._parts:
            numbers, qualities = part.segment.search(parts)
            is_present = part.is_present[numbers]
            numbers = numbers[is_present]
            chosen.append((part.ids[numbers], qualities[is_present], part.segment.lengths[numbers]))
        if not chosen:
            return Found(np.empty(0, dtype=f"S{ID_LENGTH}"), np.empty(0))
        ids, qualities, lengths = map(np.concatenate, zip(*chosen, strict=True))
        order = np.lexsort((lengths, -qualities))
        return Found(ids[order], qualities[order])

    def _clear(self) -> None:
        self._parts, self._places, self._newest = [], {}, -1
        self._stamp, self.is_loaded, self._last = None, False, None

    def _read_new(self, texts: TextRows) -> None:
        """Read the texts written since; compare all ids if that does not explain their number."""
        self._add(texts.scan_words(after=self._newest if self._places else None))
        if texts.count() == len(self._places):
            return
        now, is_local = time.monotonic(), texts.store[1] is not None
        if not is_local and now - self._compared < COMPARISON_SECONDS:
            return
        self._compared = now
        times = dict(texts.scan_values(("id", WRITTEN_AT)))
        for id_ in [id_ for id_ in self._places if id_ not in times]:
            self._remove(id_)
        self._drop_empty()
        other = [id_ for id_, at in times.items() if self._written_at(id_) != at]
        for ids in batches(other, KEYS):
            self._add(texts.scan_words(ids=ids))

    def _add(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Index texts in place of older ones of the same images."""
        for chunk in batches(rows, MAX_TEXTS - SMALL_TEXTS):
            for id_, _, _ in chunk:
                self._remove(id_)
            self._last = None
            new = list({row[0]: row for row in chunk}.values())
            if self._parts and self._parts[-1].rows:
                new = self._parts.pop().present_rows() + new
            part = _Part(sorted(new))
            self._parts.append(part)
            self._require_memory()
            self._places.update(
                (id_.decode(), (part, number)) for number, id_ in enumerate(part.ids.tolist())
            )
            self._newest = max(self._newest, *(at for _, at, _ in chunk))
            self._drop_empty()

    def _require_memory(self) -> None:
        used, total = used_memory(), total_memory()
        if not self.is_loaded and used > MOST_MEMORY * total:
            raise StoreError(
                f"the texts that were read in images do not fit into memory: with {len(self):,} of "
                f"them this process has {used / 1e9:.1f} GB of {total / 1e9:.1f}. Search them on a "
                "machine with more memory: 1,000,000 pages of 100 words take 2 GB"
            )

    def _remove(self, id_: str) -> None:
        if (place := self._places.pop(id_, None)) is not None:
            place[0].is_present[place[1]], self._last = False, None

    def _drop_empty(self) -> None:
        self._parts = [part for part in self._parts if part.is_present.any()]

    def _written_at(self, id_: str) -> int | None:
        place = self._places.get(id_)
        return None if place is None else int(place[0].written_at[place[1]])


def _stamp(path: Path | None) -> FileStamp | None:
    """Return what changes with each write to the file of Milvus Lite; None if nothing does."""
    if path is None or not path.is_file():  # Milvus Lite 3 has a folder
        return None
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
