"""A text of the catalog that is longer than one value: it is kept in parts."""

import time

from clipsearch.batching import batches
from clipsearch.errors import DamagedStoreError
from clipsearch.images.hashing import content_hash
from clipsearch.store.key_values import KeyValues

PART_LENGTH = 60_000  # characters; a value has at most 65,535 bytes
PARTS_AT_ONCE = 100
RECENT_SECONDS = 5.0
"""How long a text is used without asking whether another process has replaced it."""


class LongText:
    """The text under one key, which should be ASCII; read again only if it changed."""

    def __init__(self, values: KeyValues, key: str) -> None:
        """Make no call."""
        self._values = values
        self._key = key
        self._read_at: float | None = None
        self._name = ""  # of the text that was read, "" for none
        self._text: str | None = None

    def read(self) -> str | None:
        """Return the text, or None; raise DamagedStoreError if parts of it are missing."""
        now = time.monotonic()
        if self._read_at is not None and now - self._read_at < RECENT_SECONDS:
            return self._text
        head = self._values.get([self._key]).get(self._key) or {}
        if head.get("name", "") != self._name or self._text is None:
            self._text = self._read_parts(head["name"], head["parts"]) if head.get("name") else None
            self._name = head.get("name", "")
        self._read_at = now
        return self._text

    def write(self, text: str | None) -> None:
        """Replace the text; None removes it."""
        old = self._values.get([self._key]).get(self._key) or {}
        name = "" if text is None else content_hash(text.encode())
        starts = range(0, len(text or ""), PART_LENGTH)
        parts = [(text or "")[start : start + PART_LENGTH] for start in starts]
        keys = self._part_keys(name, len(parts))
        # The head is written last, so that a reader finds either text complete.
        for written in batches(list(zip(keys, parts, strict=True)), PARTS_AT_ONCE):
            self._values.write(dict(written))
        self._values.write({self._key: {"name": name, "parts": len(parts)} if name else {}})
        if old.get("name") and old["name"] != name:
            self._values.delete(self._part_keys(old["name"], old["parts"]))
        self._read_at = None

    def _read_parts(self, name: str, count: int) -> str:
        keys = self._part_keys(name, count)
        found: dict[str, str] = {}
        for some in batches(keys, PARTS_AT_ONCE):
            found |= self._values.get(some)
        text = "".join(found.get(key, "") for key in keys)
        if content_hash(text.encode()) != name:
            raise DamagedStoreError(f"parts of {self._key} are missing in the catalog")
        return text

    def _part_keys(self, name: str, count: int) -> list[str]:
        return [f"{self._key}/{name}/{number}" for number in range(count)]
