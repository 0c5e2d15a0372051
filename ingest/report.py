"""IngestReport: what an ingestion stored, skipped, moved, removed and failed on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeAlias

from clipsearch.escape import escape_control
from clipsearch.files.skipped import SkippedFiles
from clipsearch.types import Failure

Outcome: TypeAlias = Literal["stored", "copied", "moved", "unchanged"]
"""What happened to a file that did not fail; see `IngestReport`."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How many images a stage handled, and in how many seconds of its workers together."""

    images: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images per second of one worker."""
        return self.images / self.seconds if self.seconds else 0.0

    def __add__(self, other: Self) -> Self:
        return replace(
            self, images=self.images + other.images, seconds=self.seconds + other.seconds
        )


SHOWN_TRUNCATED = 20
"""Paths that the summary for people names; JSON has all."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """How many files had which outcome, and which failed for what reason.

    `stored`: embedded now, because new or changed. `copied`, `moved`: reused the vector of the same
    content elsewhere; the old row of a moved file is deleted. `unchanged`: stored before.
    `removed`: rows deleted because their files no longer exist. `gone`: such rows that were kept
    without `prune`. `refused`: why rows of missing files were kept with it. `skipped`: files in
    folders that are not images of a known format. `seconds`: wall-clock time. `truncated`: stored
    files that lack some of their pixels. `stages`: the work of each stage, if workers did it.
    `metadata_cut`: images of which a source says more than is stored; the first is `first_cut`.
    """

    stored: int
    copied: int
    moved: int
    unchanged: int
    removed: int
    gone: int
    failed: tuple[Failure, ...]
    refused: tuple[str, ...]
    skipped: SkippedFiles
    seconds: float
    dry_run: bool
    truncated: tuple[Path, ...] = ()
    stages: Mapping[str, StageTime] = field(default_factory=dict)
    metadata_cut: int = 0
    first_cut: Path | None = None

    @property
    def found(self) -> int:
        """The number of files examined."""
        return self.stored + self.copied + self.moved + self.unchanged + len(self.failed)

    def as_json(self) -> dict[str, object]:
        """Return the report as a JSON object; a failure is {"path", "reason"}.

        `skipped` has the number of files of other formats for each suffix, `raw_pairs` the number
        of camera raw files that were left out.
        """
        failed = [{"path": str(f.path), "reason": f.reason} for f in self.failed]
        return asdict(self) | {
            "failed": failed,
            "truncated": [str(path) for path in self.truncated],
            "first_cut": str(self.first_cut) if self.first_cut else None,
            "found": self.found,
            "skipped": self.skipped.suffixes,
            "raw_pairs": self.skipped.raw_pairs,
            "stages": {
                name: {**asdict(time), "images_per_second": time.rate}
                for name, time in self.stages.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary for people, line by line."""
        counts = (
            (self.stored, "would be stored" if self.dry_run else "stored"),
            (self.copied, "copied"),
            (self.moved, "moved"),
            (self.unchanged, "unchanged"),
            (self.removed, "would be removed" if self.dry_run else "removed"),
            (len(self.failed), "failed"),
        )
        parts = [f"{count:,} {label}" for count, label in counts if count] or ["no images found"]
        rate = (
            f" ({self.stored / self.seconds:,.0f} images/s)"
            if self.stored and not self.dry_run
            else ""
        )
        yield ", ".join(parts) + f" in {self.seconds:.1f} s{rate}"
        if self.stages:
            rates = [f"{name} {time.rate:,.0f}" for name, time in self.stages.items()]
            yield f"images/s of one worker: {', '.join(rates)}"
        if skipped := self.skipped.describe():
            yield f"skipped: {skipped}"
        for path in self.truncated[:SHOWN_TRUNCATED]:
            yield f"stored, truncated: {escape_control(str(path))}"
        if (more := len(self.truncated) - SHOWN_TRUNCATED) > 0:
            yield f"… and {more:,} more that are truncated"
        if self.metadata_cut:
            first = escape_control(str(self.first_cut))
            yield f"metadata is cut, as it is too long: {self.metadata_cut:,} images, first {first}"
        if self.gone:
            yield f"{self.gone:,} gone: their files no longer exist; --prune removes them"
        yield from self.refused


@dataclass(slots=True)
class Tally:
    """The counts and failures of a running ingestion."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    removed: int = 0
    gone: int = 0
    failed: list[Failure] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    truncated: list[Path] = field(default_factory=list)
    stages: dict[str, StageTime] = field(default_factory=dict)
    metadata_cut: int = 0
    first_cut: Path | None = None

    def note(self, outcomes: Mapping[Outcome, int], stages: Mapping[str, StageTime]) -> None:
        """Add what workers counted, and their time."""
        self.outcomes.update(outcomes)
        for name, time in stages.items():
            self.stages[name] = self.stages[name] + time if name in self.stages else time

    def add(self, other: Self) -> None:
        """Add the tally of a worker that wrote rows."""
        self.note(other.outcomes, other.stages)
        self.failed += other.failed
        self.truncated += other.truncated

    def report(self, *, skipped: SkippedFiles, seconds: float, dry_run: bool) -> IngestReport:
        """Return the counts so far as a report."""
        return IngestReport(
            stored=self.outcomes["stored"],
            copied=self.outcomes["copied"],
            moved=self.outcomes["moved"],
            unchanged=self.outcomes["unchanged"],
            removed=self.removed,
            gone=self.gone,
            failed=tuple(self.failed),
            refused=tuple(self.refused),
            skipped=skipped,
            seconds=seconds,
            dry_run=dry_run,
            truncated=tuple(self.truncated),
            stages=dict(self.stages),
            metadata_cut=self.metadata_cut,
            first_cut=self.first_cut,
        )
