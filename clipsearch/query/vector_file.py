"""Vectors in a temporary file, for work on more of them than memory should hold."""

import tempfile
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import Vectors

Rows = NDArray[np.intp]

SPREAD = 16
"""Rows that are close together are read at once, with up to this many times as many: a call takes
as long as reading 30 rows of 512 dimensions."""


class VectorSource(Protocol):
    """(n, d) float32 vectors that are read by their numbers."""

    @property
    def dim(self) -> int:
        """The dimension d."""

    def __len__(self) -> int: ...

    def read(self, rows: Rows) -> Vectors:
        """Return some rows, (m, d), in the given order."""


class VectorArray:
    """(n, d) float32 vectors in memory."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self.dim = vectors.shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    def read(self, rows: Rows) -> Vectors:
        """Return some rows, (m, d), in the given order."""
        return self._vectors[rows]


class VectorFile:
    """(n, d) float32 in a file without a name, which vanishes with the process."""

    def __init__(self) -> None:
        """Create an empty file in the system's folder for temporary files."""
        self._file = tempfile.TemporaryFile(prefix="clipsearch-", buffering=0)  # noqa: SIM115
        self._count = self.dim = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, vectors: Vectors) -> None:
        """Add (m, d) rows; raise OSError on a full disk."""
        self._file.seek(0, 2)
        np.ascontiguousarray(vectors, dtype=np.float32).tofile(self._file)
        self._count += len(vectors)
        self.dim = vectors.shape[1]

    def read(self, rows: Rows) -> Vectors:
        """Return some rows, (m, d), in the given order."""
        if not len(rows):
            return np.empty((0, self.dim), dtype=np.float32)
        low, high = int(rows.min()), int(rows.max()) + 1
        if high - low > SPREAD * len(rows):
            return np.concatenate([self._read(int(row), int(row) + 1) for row in rows])
        return self._read(low, high)[rows - low]

    def _read(self, low: int, high: int) -> Vectors:
        self._file.seek(4 * self.dim * low)
        vectors = np.fromfile(self._file, dtype=np.float32, count=(high - low) * self.dim)
        return vectors.reshape(high - low, self.dim)
