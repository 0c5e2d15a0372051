"""ReadReport: what a pass read, skipped and failed on."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How many images had which outcome, and which failed for what reason.

    `read`: read now, `with_text` of them show text. `copied`: took over the text of an image with
    the same content. `unchanged`: read before, `other_reader` of them by another reader. `skipped`:
    not read, as they have little textness. `changed`: not read, as their file has changed since it
    was ingested. `removed`: texts deleted, as their image is not in the collection or has other
    content. `cut`: images with more text than a row holds, of which the last lines are left out.
    `remaining`: not read because of the limit. `reader` names what read. `seconds` are wall-clock.
    """

    read: int
    with_text: int
    copied: int
    unchanged: int
    other_reader: int
    skipped: int
    changed: int
    removed: int
    cut: int
    remaining: int
    failed: tuple[Failure, ...]
    reader: str
    seconds: float
    dry_run: bool

    def as_json(self) -> dict[str, object]:
        """Return the report as a JSON object; a failure is {"path", "reason"}."""
        failed = [{"path": str(f.path), "reason": f.reason} for f in self.failed]
        return asdict(self) | {"failed": failed}

    def lines(self) -> Iterator[str]:
        """Yield the summary for people, line by line."""
        counts = (
            (
                self.read,
                "would be read" if self.dry_run else f"read ({self.with_text:,} with text)",
            ),
            (self.copied, "copied"),
            (self.unchanged, "unchanged"),
            (self.skipped, "skipped"),
            (self.changed, "changed"),
            (len(self.failed), "failed"),
        )
        parts = [f"{count:,} {label}" for count, label in counts if count] or ["no images"]
        rate = (
            f" ({self.read / self.seconds:,.1f} images/s)" if self.read and not self.dry_run else ""
        )
        yield ", ".join(parts) + f" in {self.seconds:.1f} s{rate}"
        if self.skipped:
            yield f"skipped for little text: {self.skipped:,}; --all reads them, too"
        if self.changed:
            yield (
                f"changed: {self.changed:,} files since they were ingested; `clipsearch ingest` "
                "stores them anew, then read again"
            )
        if self.other_reader:
            yield (
                f"unchanged: {self.other_reader:,} of them were read by another reader than "
                f"{self.reader}; --again reads them again"
            )
        if self.cut:
            yield f"cut: {self.cut:,} images with too much text; their last lines are left out"
        if self.remaining:
            yield f"remaining: {self.remaining:,} images, as --limit says; the next run reads them"
        if self.removed:
            yield f"{self.removed:,} texts of images that are gone or changed were removed"


@dataclass(slots=True)
class ReadTally:
    """The counts and failures of a running pass; see `ReadReport`."""

    read: int = 0
    with_text: int = 0
    copied: int = 0
    unchanged: int = 0
    other_reader: int = 0
    skipped: int = 0
    changed: int = 0
    removed: int = 0
    cut: int = 0
    remaining: int = 0
    failed: list[Failure] = field(default_factory=list)

    def report(self, *, reader: str, seconds: float, dry_run: bool) -> ReadReport:
        """Return the counts so far as a report."""
        values = asdict(self) | {"failed": tuple(self.failed)}
        return ReadReport(**values, reader=reader, seconds=seconds, dry_run=dry_run)
