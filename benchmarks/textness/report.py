"""The results of one model, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.textness.metrics import MAX_LOSS, ProbeMetrics, ScaleMetrics
from benchmarks.textness.street_scenes import StreetMetrics
from clipsearch.query.query import TextnessScale
from clipsearch.textness import TextnessProbe


@dataclass(frozen=True, slots=True)
class Result:
    """All metrics of one model, and the number of images."""

    model: str
    note: str
    machine: str
    precision: str
    counts: dict[str, int]
    probe: TextnessProbe
    held_out: ProbeMetrics
    held_out_fitted_on_words: ProbeMetrics
    scales: Sequence[ScaleMetrics]
    strongest: ScaleMetrics
    streets: Sequence[StreetMetrics]
    seconds: float

    @property
    def best(self) -> ScaleMetrics:
        """The negative scale with the most images of objects and the fewest words."""
        negative = [
            metrics
            for metrics in self.scales
            if not isinstance(metrics.scale, str) and metrics.scale < 0
        ]
        return max(negative, key=lambda metrics: metrics.precision - metrics.words)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        probe = self.probe
        return {
            "model": self.model,
            "note": self.note,
            "machine": self.machine,
            "precision": self.precision,
            **self.counts,
            "fit_accuracy": probe.accuracy,
            "fit_auc": probe.auc,
            "fit_images": probe.with_text + probe.without_text,
            "held_out": asdict(self.held_out),
            "held_out_fitted_on_words": asdict(self.held_out_fitted_on_words),
            "best_negative_scale": self.best.scale,
            "strongest": asdict(self.strongest),
            "scales": [asdict(metrics) for metrics in self.scales],
            "streets": [asdict(metrics) for metrics in self.streets],
            "seconds": round(self.seconds, 1),
        }


def format_result(result: Result) -> str:
    """All metrics of one model as text."""
    counts = ", ".join(f"{count:,} {name}" for name, count in result.counts.items())
    lines = [
        f"{result.model}{f' ({result.note})' if result.note else ''}, {result.precision}",
        result.machine,
        counts,
        "large words, fonts and images that the probe was not fitted with:",
        f"  fitted on text of any kind {_format_probe(result.held_out)}",
        f"  fitted on large words      {_format_probe(result.held_out_fitted_on_words)}",
        "",
        f"{'':>6}  {'with words on other images':^54}  {'without':^14}",
        f"{'scale':>6}  {'words in top 10':>15}  {'right word':>10}  {'first real':>10}  "
        f"{'P@10':>5}  {'R@10':>5}  {'P@10':>6}  {'R@10':>6}",
    ]
    for row in result.scales:
        lines.append(
            f"{_format_scale(row.scale):>6}  {row.words:15.1%}  {row.right_word:10.1%}  "
            f"{row.first:10.1f}  {row.precision:5.1%}  {row.recall:5.1%}  "
            f"{row.clean_precision:6.1%}  {row.clean_recall:6.1%}"
        )
    zero = next(metrics for metrics in result.scales if metrics.scale == 0)
    lines += [
        "",
        f"best negative scale {_format_effect(result.best, zero)}",
        f"at a loss of at most {100 * MAX_LOSS:g} points {_format_effect(result.strongest, zero)}",
    ]
    if result.streets:
        header = f"{'scale':>6}  {'street scenes in top 10':>24}  {'rank of a word’s image':>25}"
        lines += ["", header]
        lines += [
            f"{_format_scale(row.scale):>6}  {row.street_share:24.1%}  {row.word_rank:25.1f}"
            for row in result.streets
        ]
    return "\n".join(lines)


def _format_probe(metrics: ProbeMetrics) -> str:
    return (
        f"accuracy {metrics.accuracy:.3f}, AUC {metrics.auc:.3f}; "
        f"{metrics.pairs:.1%} score higher with a word than without"
    )


def _format_effect(metrics: ScaleMetrics, zero: ScaleMetrics) -> str:
    fall = 1 - metrics.words / zero.words if zero.words else 0.0
    gain = 100 * (metrics.clean_precision - zero.clean_precision)
    return (
        f"{_format_scale(metrics.scale)}: {fall:.1%} fewer images of words in the top 10, "
        f"first image of the object at {zero.first:.1f} → {metrics.first:.1f}, "
        f"clean P@10 {gain:+.1f} points"
    )


def _format_scale(scale: TextnessScale) -> str:
    return scale if isinstance(scale, str) else f"{scale:+g}" if scale else "0"
