"""An index, and the trials of a tuning, as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from clipsearch.evaluation.index_tuning import TuningReport
from clipsearch.store.index.kinds import INDEX_KINDS
from clipsearch.store.index.report import IndexReport
from clipsearch.store.index.settings import Tuning


def index_lines(report: IndexReport) -> Iterator[str]:
    """Yield the lines of `clipsearch index`."""
    kind = report.state.kind or report.state.index_type or "none"
    spec = INDEX_KINDS.get(kind)
    yield f"{report.name}: {report.rows:,} images"
    yield f"  index      {kind}" + (f", {spec.summary}" if spec else "")
    if build := ", ".join(f"{name} {value}" for name, value in report.state.params.items()):
        yield f"  built with {build}"
    if report.pending_rows:
        yield f"  pending    {report.pending_rows:,} rows are not covered yet"
    if report.ram_bytes is not None:
        disk = f", {_size(report.disk_bytes)} of local disk" if report.disk_bytes else ""
        yield f"  needs      about {_size(report.ram_bytes)} of memory{disk} for the vectors"
    for name, value in report.state.properties.items():
        yield f"  setting    {name} = {value}"
    if report.tuning:
        yield f"  tuned      {describe_tuning(report.tuning)}"
        if report.is_stale:
            yield "             the collection has doubled since then: run `clipsearch tune` again"
    elif spec and spec.effort:
        yield f"  tuned      no: `clipsearch tune` measures the smallest {spec.effort.name}"
    if report.suggested:
        yield f"  better     {report.suggested}: `clipsearch index --to {report.suggested}`"
    if report.state.kind != report.settings.kind:
        yield (
            f"  differs    searches expect {report.settings.kind}: `clipsearch index --to "
            f"{report.settings.kind}` makes it again"
        )


def describe_tuning(tuning: Tuning) -> str:
    """Say what was measured, in one line."""
    spec = INDEX_KINDS[tuning.kind]
    name = spec.effort.name if spec.effort else ""
    return (
        f"{name} {tuning.effort}: recall@{tuning.results} {tuning.recall:.3f} (wanted "
        f"{tuning.wanted:g}), {tuning.milliseconds:,.1f} ms, at {tuning.rows:,} images, "
        f"{tuning.measured_at[:10]}"
    )


def tuning_lines(report: TuningReport) -> Iterator[str]:
    """Yield a table of the trials, with a mark at the value that was chosen."""
    assert report.parameter is not None
    groups = list(report.trials[0].recalls)
    header = [report.parameter, *(f"recall, {group}" for group in groups), "p50 ms"]
    yield "  ".join(f"{cell:>14}" for cell in header)
    chosen = report.tuning.effort if report.tuning else None
    for trial in report.trials:
        cells = [
            f"{trial.effort:,}",
            *(f"{trial.recalls[group]:.4f}" for group in groups),
            f"{trial.milliseconds:.1f}",
        ]
        mark = "  <" if trial.effort == chosen else ""
        yield "  ".join(f"{cell:>14}" for cell in cells) + mark


def _size(count: int | None) -> str:
    value = float(count or 0)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1_000:
            return f"{value:,.1f} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1_000
    return f"{value:,.1f} TB"
