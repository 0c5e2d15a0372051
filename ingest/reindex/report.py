"""ReindexReport: what a reindex embedded, and whether the new generation is in use."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """`images` are the rows of the new generation, which `model` made.

    `embedded` and `copied` count what this run wrote; an earlier run may have written the others.
    `lost` are images of the old generation that the new one lacks. `switched` tells whether the new
    generation is in use; `previous` is the model of the old one if that was kept. `seconds` is
    wall-clock time.
    """

    collection: str
    model: str
    images: int
    embedded: int
    copied: int
    lost: tuple[Failure, ...]
    switched: bool
    previous: str | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object; a lost image is {"path", "reason"}."""
        lost = [{"path": str(f.path), "reason": f.reason} for f in self.lost]
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"lost": lost}

    def lines(self) -> Iterator[str]:
        """Yield the summary for people, line by line."""
        counts = ((self.embedded, "embedded"), (self.copied, "copied"), (len(self.lost), "lost"))
        parts = [f"{count:,} {label}" for count, label in counts if count]
        done = f": {', '.join(parts)}" if parts else ""
        yield f"{self.images:,} images by {self.model}{done} in {self.seconds:.1f} s"
        if not self.switched:
            yield (
                f"not used, as {len(self.lost):,} images would be lost: restore their files and "
                "run again, remove them with `clipsearch remove`, or switch without them with "
                "--allow-missing"
            )
        elif self.previous is not None:
            yield (
                f"in use now; the rows by {self.previous} are kept: `clipsearch reindex "
                "--rollback` returns to them, `clipsearch reindex --drop-old` deletes them"
            )
        else:
            yield "in use now; the old rows are deleted"
