"""Filling the next generation by the same model: rows are copied with their vectors."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import decode_file, hash_file
from clipsearch.files.name_date import with_name_date
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decoder_pool import stop_decoders
from clipsearch.store import Collection, filters
from clipsearch.store.schema import record_fields
from clipsearch.transfer.catalog_facts import copy_failures
from clipsearch.transfer.copy_rows import id_ranges
from clipsearch.types import Failure, ImageRow
from ingest.pipeline import WRITE
from ingest.reindex.stored_images import find_image
from ingest.report import Outcome

FILE_FIELDS = frozenset({"taken_from", "camera", "latitude", "longitude"})
"""Fields that image files contain, and that collections of older versions lack."""

STATE = ("id", "size", "mtime_ns", "content_hash")
"""The fields that tell whether a row was copied already."""

MIN_SIDE = 32
"""Files are read for their metadata only: a JPEG is decoded at an eighth of its size."""

READ_AHEAD = 64


@dataclass(slots=True)
class CopiedRows:
    """Fills a generation of the same model; each call copies what is new or changed.

    The metadata of collections of older versions is read from the image files. A row whose file
    has gone or has another content is copied as it is.
    """

    max_pixels: int
    reasons: dict[Path, str] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def fill(self, old: Collection, new: Collection, progress: Progress | None = None) -> None:
        """Write the rows that `new` lacks, and the failures of `old`."""
        reads_files = not FILE_FIELDS.issubset(record_fields(old.info.schema_version))
        with Pool() as pool:
            try:
                for low, high in id_ranges(old.count()):
                    rows = self._changed(old, new, filters.id_range(low, high), progress)
                    if reads_files:
                        rows = ordered(pool, self._with_metadata, rows, ahead=READ_AHEAD)
                    for batch in batches(rows, WRITE):
                        new.upsert(batch)
                        self.outcomes["copied"] += len(batch)
            finally:
                stop_decoders()
        copy_failures(old, new, delete=True)

    def _changed(
        self, old: Collection, new: Collection, condition: str, progress: Progress | None
    ) -> Iterator[ImageRow]:
        """Yield the rows of a range that `new` lacks, or has in another state of the file."""
        present = set(new.scan_values(STATE, condition))
        missing = []
        for state in old.scan_values(STATE, condition):
            if state not in present:
                missing.append(state[0])
            else:
                self.outcomes["unchanged"] += 1
                if progress is not None:
                    progress.update(1)
        for batch in batches(missing, WRITE):
            yield from old.get(batch).values()
            if progress is not None:
                progress.update(len(batch))

    def _with_metadata(self, row: ImageRow) -> ImageRow:
        file = find_image(row.record)
        if isinstance(file, ImageFile):
            hashed = hash_file(file)
            if isinstance(hashed, Failure) or hashed.content_hash != row.record.content_hash:
                return row
            decoded = decode_file(hashed, max_pixels=self.max_pixels, min_side=MIN_SIDE)
            if not isinstance(decoded, Failure):
                record = replace(row.record, **asdict(decoded.metadata))
                return ImageRow(with_name_date(record), row.embedding)
        return row
