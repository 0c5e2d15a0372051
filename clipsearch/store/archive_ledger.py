"""The archives whose images a collection holds: each is skipped while it stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from clipsearch.images.hashing import image_id
from clipsearch.store.key_values import KeyValues
from clipsearch.store.schema import decode_path, encode_path


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """Size (bytes) and mtime of an archive that was read to its end, and its images.

    `settings` is a hash of what the rows depend on besides. `conditions` are those under which some
    of its images failed, as in a FailedState; "" if none did.
    """

    size: int
    mtime_ns: int
    images: int
    settings: str
    conditions: str = ""


class ArchiveLedger:
    """The archives of one generation of a collection, as entries of the catalog."""

    def __init__(self, values: KeyValues, milvus_name: str) -> None:
        """Read nothing."""
        self._values = values
        self._prefix = f"archive/{milvus_name}/"

    def read(self) -> dict[Path, ArchiveState]:
        """Return the state of every archive."""
        found: dict[Path, ArchiveState] = {}
        for entry in self._values.read(self._prefix).values():
            path = decode_path(entry.pop("path"))
            found[path] = ArchiveState(**entry)
        return found

    def write(self, states: Mapping[Path, ArchiveState]) -> None:
        """Add archives, or replace their states."""
        self._values.write(
            {
                self._prefix + image_id(path): {"path": encode_path(path), **asdict(state)}
                for path, state in states.items()
            }
        )

    def remove(self, paths: Iterable[Path]) -> None:
        """Forget archives, so that they are read again; unknown ones are not an error."""
        self._values.delete([self._prefix + image_id(path) for path in paths])

    def retain(self, states: Mapping[Path, ArchiveState]) -> None:
        """Forget all archives that are not among these, or are in another state."""
        self.remove([path for path, state in self.read().items() if states.get(path) != state])

    def clear(self) -> None:
        """Forget all archives, as rows of them may be lost."""
        self._values.delete(list(self._values.read(self._prefix)))
