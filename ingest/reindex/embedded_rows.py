"""Filling the next generation with another model: the images of the old one are embedded again."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.store import Collection
from ingest.diff import Changes
from ingest.options import IngestOptions
from ingest.pipeline import Ingestion
from ingest.reindex.stored_images import StoredImages
from ingest.report import Outcome, Tally


@dataclass(slots=True)
class EmbeddedRows:
    """Fills a generation by a model; each call embeds what is new or changed since the last one.

    `reasons` tells why images failed in the last call, by path; `outcomes` counts those of all.
    """

    encoder: Encoder
    max_pixels: int
    reasons: dict[Path, str] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def fill(self, old: Collection, new: Collection, progress: Progress | None = None) -> None:
        """Write the rows that `new` lacks; a file of an unchanged size and time is not read."""
        source, tally = StoredImages(old), Tally()
        changes = Changes(source, new, IngestOptions(max_pixels=self.max_pixels), tally, progress)
        try:
            Ingestion(changes, new, self.encoder, tally, self.max_pixels).run()
        finally:
            self.outcomes.update(tally.outcomes)
            # A missing file is an image that is lost, not one that failed.
            failed = [failure for failure in tally.failed if failure.kind != "missing"]
            new.add_failures(changes.failures.new(failed))
        self.reasons = {failure.path: failure.reason for failure in tally.failed}
        paths = {failure.path for failure in failed}
        new.remove_failures([f.path for f in new.failures() if f.path not in paths])
