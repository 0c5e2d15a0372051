"""The results of one model, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.textness.measure import LOSS, HeldOut, Row
from benchmarks.textness.street_scenes import StreetRow
from clipsearch.textness import TextnessProbe
from clipsearch.textness.steering import TextnessScale


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured of one model, and on how many pictures."""

    model: str
    note: str
    machine: str
    counts: dict[str, int]
    probe: TextnessProbe
    held_out: HeldOut
    of_words: HeldOut
    rows: Sequence[Row]
    strongest: Row
    streets: Sequence[StreetRow]
    seconds: float

    @property
    def best(self) -> Row:
        """The negative scale that leaves the fewest words for the least loss on clean queries."""
        below = [row for row in self.rows if not isinstance(row.scale, str) and row.scale < 0]
        return max(below, key=lambda row: row.precision - row.words)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        probe = self.probe
        return {
            "model": self.model,
            "note": self.note,
            "machine": self.machine,
            **self.counts,
            "fit_accuracy": probe.accuracy,
            "fit_auc": probe.auc,
            "fit_pictures": probe.with_text + probe.without_text,
            "held_out": asdict(self.held_out),
            "held_out_fitted_on_words": asdict(self.of_words),
            "best_negative_scale": self.best.scale,
            "strongest": asdict(self.strongest),
            "scales": [asdict(row) for row in self.rows],
            "streets": [asdict(row) for row in self.streets],
            "seconds": round(self.seconds, 1),
        }


def table(result: Result) -> str:
    """Everything about one model, for people."""
    counts = ", ".join(f"{count:,} {what}" for what, count in result.counts.items())
    lines = [
        f"{result.model}{f' ({result.note})' if result.note else ''}, {result.machine}",
        counts,
        "large words, fonts and photographs that the probe has not seen:",
        f"  fitted on text of any kind {_told(result.held_out)}",
        f"  fitted on large words      {_told(result.of_words)}",
        "",
        f"{'':>6}  {'with words on other pictures':^54}  {'without':^14}",
        f"{'scale':>6}  {'words in top 10':>15}  {'right word':>10}  {'first real':>10}  "
        f"{'P@10':>5}  {'R@10':>5}  {'P@10':>6}  {'R@10':>6}",
    ]
    for row in result.rows:
        lines.append(
            f"{_scale(row.scale):>6}  {row.words:15.1%}  {row.right_word:10.1%}  {row.first:10.1f}  "
            f"{row.precision:5.1%}  {row.recall:5.1%}  {row.clean_precision:6.1%}  {row.clean_recall:6.1%}"
        )
    before = _zero(result.rows)
    lines += [
        "",
        f"best negative scale {_effect(result.best, before)}",
        f"at a loss of at most {100 * LOSS:g} points {_effect(result.strongest, before)}",
    ]
    if result.streets:
        lines += [
            "",
            f"{'scale':>6}  {'street scenes in top 10':>24}  {'rank of a word’s picture':>25}",
        ]
        lines += [
            f"{_scale(row.scale):>6}  {row.signs:24.1%}  {row.found:25.1f}"
            for row in result.streets
        ]
    return "\n".join(lines)


def _told(found: HeldOut) -> str:
    return (
        f"accuracy {found.accuracy:.3f}, AUC {found.auc:.3f}; "
        f"{found.twins:.1%} score higher with a word than without"
    )


def _effect(row: Row, before: Row) -> str:
    fall = 1 - row.words / before.words if before.words else 0.0
    return (
        f"{_scale(row.scale)}: {fall:.1%} fewer pictures of words in the top 10, first real thing "
        f"{before.first:.1f} → {row.first:.1f}, clean P@10 "
        f"{100 * (row.clean_precision - before.clean_precision):+.1f} points"
    )


def _scale(scale: TextnessScale) -> str:
    return scale if isinstance(scale, str) else f"{scale:+g}" if scale else "0"


def _zero(rows: Sequence[Row]) -> Row:
    return next(row for row in rows if row.scale == 0)
