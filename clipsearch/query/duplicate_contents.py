"""The different contents of a collection: what duplicates are found among."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import of_process
from clipsearch.files.paths import modified_ns
from clipsearch.files.progress import Progress
from clipsearch.locations.open_location import has_changed, is_plain_file
from clipsearch.query.vector_file import Rows, VectorFile
from clipsearch.records import ImageRecord
from clipsearch.types import Failure, ImageRow

SCAN_ROWS = 2_048

LOSSLESS = frozenset({"png", "tiff", "bmp", "ppm", "psd", "tga", "raw"})
"""A JPEG of a drawing has more bytes than the PNG that it was made from."""

Quality = tuple[int, bool, int, str]
"""What makes one of several copies better: pixels, lossless, size, id. Larger ones are better."""


@dataclass(slots=True)
class Contents:
    """The n different contents, as they were read; 0.5 kB each.

    `paths` and `sides` (width, height) are those of the best file of each content. `ids` and
    `numbers` are the id of every file and the number of its content. `failures` are the
    files that do not have the stored content any more.
    """

    paths: list[str] = field(default_factory=list)
    sides: "array[int]" = field(default_factory=lambda: array("q"))
    qualities: list[Quality] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    failures: list[Failure] = field(default_factory=list)

    def order(self) -> Rows:
        """Return the numbers of the contents, the best first: (n,)."""
        numbers = range(len(self.paths))
        return np.array(
            sorted(numbers, key=self.qualities.__getitem__, reverse=True), dtype=np.intp
        )

    def sides_of(self, numbers: Rows) -> NDArray[np.int64]:
        """Return widths and heights of some contents: (m, 2)."""
        return np.array(self.sides, dtype=np.int64).reshape(-1, 2)[numbers]

    def add(self, record: ImageRecord, number: int) -> None:
        """Note a file of a content, which is new if its number is the next."""
        self.ids.append(record.id)
        self.numbers.append(number)
        best = quality(record)
        if number == len(self.paths):
            self.paths.append(str(record.path))
            self.sides.extend((record.width, record.height))
            self.qualities.append(best)
        elif best > self.qualities[number]:
            self.paths[number], self.qualities[number] = str(record.path), best
            self.sides[2 * number : 2 * number + 2] = array("q", (record.width, record.height))


def read_contents(
    rows: Iterable[ImageRow], vectors: VectorFile, progress: Progress | None = None
) -> Contents:
    """Read the contents of a collection's rows, and append the vector of each to a file."""
    contents = Contents()
    numbers: dict[str, int] = {}
    for batch in batches(rows, SCAN_ROWS):
        new = []
        for row in batch:
            if reason := _difference(row.record):
                contents.failures.append(Failure(row.record.path, reason))
                continue
            number = numbers.setdefault(row.record.content_hash, len(numbers))
            if number == len(contents.paths):
                new.append(row.embedding)
            contents.add(row.record, number)
        if new:
            vectors.append(np.stack(new))
        if progress is not None:
            progress.update(len(batch))
    return contents


def quality(record: ImageRecord) -> Quality:
    """Return what makes a file better than others of the same or a similar content."""
    pixels = record.width * record.height
    return pixels, record.format in LOSSLESS, record.size, record.id


def _difference(record: ImageRecord) -> str:
    """Why a file does not have the content of its record any more, or ""."""
    try:
        status = record.path.stat()
    except OSError as error:
        if of_process(error):
            raise
        if not is_plain_file(record.path):
            return "changed" if has_changed(record.path, record.mtime_ns) else ""
        return (error.strerror or str(error)).lower()
    current = (status.st_size, modified_ns(status))
    return "" if current == (record.size, record.mtime_ns) else "changed"
