"""What an ingestion did, as plain data."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class IngestReport:
    """How many files took which way, and which failed for what reason.

    `stored`: embedded now, new or changed. `copied`, `moved`: took the vector of the same content
    elsewhere; a moved file's old row is gone. `unchanged`: known already. `removed`: rows of files
    that are gone. `refused`: why rows of files that seem gone were kept. `seconds`: of wall clock.
    """

    stored: int
    copied: int
    moved: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    refused: tuple[str, ...]
    seconds: float
    dry_run: bool

    @property
    def found(self) -> int:
        """Files looked at."""
        return self.stored + self.copied + self.moved + self.unchanged + len(self.failed)

    def as_json(self) -> dict[str, object]:
        """The same as a JSON object; a failure is {"path", "reason"}."""
        failed = [{"path": str(f.path), "reason": f.reason} for f in self.failed]
        return asdict(self) | {"failed": failed, "found": self.found}

    def lines(self) -> Iterator[str]:
        """The summary for people, a line each."""
        counts = (
            (self.stored, "would be stored" if self.dry_run else "stored"),
            (self.copied, "copied"),
            (self.moved, "moved"),
            (self.unchanged, "unchanged"),
            (self.removed, "would be removed" if self.dry_run else "removed"),
            (len(self.failed), "failed"),
        )
        parts = [f"{count:,} {what}" for count, what in counts if count] or ["no pictures found"]
        rate = (
            f" ({self.stored / self.seconds:,.0f} images/s)"
            if self.stored and not self.dry_run
            else ""
        )
        yield ", ".join(parts) + f" in {self.seconds:.1f} s{rate}"
        yield from self.refused


class Tally:
    """The report while it grows."""

    def __init__(self) -> None:
        self.stored = 0
        self.copied = 0
        self.moved = 0
        self.unchanged = 0
        self.removed = 0
        self.failed: list[Failure] = []
        self.refused: list[str] = []

    def report(self, *, seconds: float, dry_run: bool) -> IngestReport:
        """The counts so far, frozen."""
        return IngestReport(
            stored=self.stored,
            copied=self.copied,
            moved=self.moved,
            unchanged=self.unchanged,
            removed=self.removed,
            failed=tuple(self.failed),
            refused=tuple(self.refused),
            seconds=seconds,
            dry_run=dry_run,
        )
