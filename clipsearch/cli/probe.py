"""`clipsearch probe fit` and `clipsearch probe apply`."""

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import click

from clipsearch.classify import LearningCurve, LearningCurvePoint, LinearProbe, ProbeFit
from clipsearch.classify.learning_curve import SEEDS, SHOTS
from clipsearch.classify.probe_apply import apply_linear_probe
from clipsearch.classify.probe_fit import fit_linear_probe
from clipsearch.cli import label_options, options
from clipsearch.cli.failures import show_failures
from clipsearch.cli.filter_options import filters
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters
from clipsearch.render.display_text import display_path
from clipsearch.render.learning_curve_chart import SUFFIXES, write_curve
from clipsearch.render.output_file import require_suffix


@click.group()
def probe() -> None:
    """Train a linear probe on folders of example images, and apply it.

    \b
    clipsearch probe fit examples/ -o birds.probe --figure curve.png
    clipsearch probe apply birds.probe ~/Pictures
    """


@probe.command()
@click.argument("folder", type=options.FOLDER, metavar="DIR")
@options.output_file("Where to write the probe.", required=True)
@options.model
@click.option(
    "--shots",
    default=",".join(map(str, SHOTS)),
    show_default=True,
    metavar="N,…",
    help="Numbers of examples per class, for the learning curve.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    default=SEEDS,
    show_default=True,
    metavar="N",
    help="Number of runs of the learning curve; 0 skips it.",
)
@label_options.templates
@click.option(
    "--figure",
    type=options.FILE,
    metavar="FILE",
    help=f"Also draw the learning curve: {', '.join(SUFFIXES)}.",
)
@options.as_json
@options.runtime
def fit(
    *,
    folder: Path,
    output: Path,
    model: str,
    shots: str,
    seeds: int,
    template_texts: tuple[str, ...],
    template_sets: tuple[str, ...],
    figure: Path | None,
    as_json: bool,
    runtime: Runtime,
) -> int:
    """Train a classifier on the folders in DIR, each with the images of one class.

    The classifier is a logistic regression on the model's embeddings; the model does not change.
    A learning curve shows the accuracy on held-out images for growing numbers of examples, next to
    zero-shot classification by the names of the folders.

    \b
    clipsearch probe fit examples/ -o birds.probe --figure curve.png
    """
    shot_counts = _parse_shots(shots)
    if figure:
        require_suffix(figure, SUFFIXES)
    if figure and not seeds:
        raise UsageError("--seeds 0 skips the learning curve that --figure draws")
    for file in (output, figure):  # check before minutes of work
        if file and not is_folder(expand_user(file).parent):
            raise UsageError(f"cannot write {file.name}: no folder {file.parent}")
    with progress_bar() as bar:
        fitted = fit_linear_probe(
            folder,
            model=model,
            runtime=runtime,
            shots=shot_counts,
            seeds=seeds,
            templates=label_options.all_templates(template_texts, template_sets),
            progress=bar,
        )
    fitted.probe.save(output)
    if figure and fitted.curve:
        write_curve(figure, fitted.curve, title=_title(fitted))
    if as_json:
        click.echo(json.dumps(_as_json(fitted)))
    elif fitted.curve:
        click.echo(_table(fitted.curve))
    for line in _summary(fitted, output, figure):
        note(line)
    return show_failures(fitted.failed)


@probe.command()
@click.argument("file", type=options.FILE, metavar="FILE")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@label_options.predictions
@filters
@options.store
@options.runtime
@click.pass_context
def apply(
    context: click.Context,
    /,
    *,
    file: Path,
    paths: tuple[str, ...],
    top: int | None,
    threshold: float,
    as_json: bool,
    as_csv: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> int:
    """Classify images with the linear probe in FILE.

    PATHS are files and folders; the default is the whole collection, by its stored embeddings.
    `clipsearch tag --probe FILE` stores the labels in the collection.

    \b
    clipsearch probe apply birds.probe ~/Pictures --top 1
    """
    loaded = LinearProbe.load(file)
    top = label_options.limit_predictions(top, as_json=as_json, as_csv=as_csv)
    row_filters = Filters(**rest)
    if paths:
        label_options.require_files_only(context, row_filters)
        with progress_bar() as bar:
            report = apply_linear_probe(
                loaded, paths, runtime=runtime, top=top, threshold=threshold, progress=bar
            )
        return label_options.show(report.images, report.failed, as_json=as_json, as_csv=as_csv)
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        images = index.classify(loaded, filters=row_filters, top=top, threshold=threshold)
    return label_options.show(images, [], as_json=as_json, as_csv=as_csv)


def _parse_shots(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise UsageError(f"--shots takes numbers such as 1,2,4, not {text!r}") from error
    if not numbers or min(numbers) < 1:
        raise UsageError(f"--shots takes numbers from 1, such as 1,2,4, not {text!r}")
    return numbers


def _table(curve: LearningCurve) -> str:
    points = ([curve.zero_shot] if curve.zero_shot else []) + list(curve.points)
    lines = [f"{'examples a class':>16}  {'in all':>6}  {'accuracy':>8}  95% interval"]
    for point in points:
        interval = f"{point.low:.1%} to {point.high:.1%}" if isfinite(point.low) else ""
        examples = f"{point.examples:,.0f}"
        lines.append(f"{_name(point):>16}  {examples:>6}  {point.mean:>8.1%}  {interval}".rstrip())
    return "\n".join(lines)


def _name(point: LearningCurvePoint) -> str:
    if point.shots is None:
        return "all"
    return "zero-shot" if point.shots == 0 else str(point.shots)


def _title(fitted: ProbeFit) -> str:
    linear_probe = fitted.probe
    return (
        f"{linear_probe.model.name}: {len(linear_probe.labels)} classes, "
        f"{linear_probe.images:,} images"
    )


def _summary(fitted: ProbeFit, output: Path, figure: Path | None) -> list[str]:
    lines = []
    if curve := fitted.curve:
        runs = curve.points[-1].seeds
        lines.append(
            f"{runs} {'run' if runs == 1 else 'runs'}, each on {curve.tested:,} held-out images"
        )
        if curve.zero_shot_equivalent is not None:
            lines.append(
                f"zero-shot is as accurate as {curve.zero_shot_equivalent:.1f} examples a class"
            )
    lines.append(f"probe of {_title(fitted)}: {display_path(output)}")
    return lines + ([f"figure: {display_path(figure)}"] if figure else [])


def _as_json(fitted: ProbeFit) -> dict[str, Any]:
    linear_probe, curve = fitted.probe, fitted.curve
    return {
        "model": asdict(linear_probe.model),
        "labels": linear_probe.labels,
        "images": linear_probe.images,
        "tested": curve.tested if curve else 0,
        "inverse_penalty": curve.inverse_penalty if curve else None,
        "zero_shot": _point(curve.zero_shot) if curve and curve.zero_shot else None,
        "curve": [_point(point) for point in curve.points] if curve else [],
        "zero_shot_equivalent": curve.zero_shot_equivalent if curve else None,
        "failed": [{"path": str(f.path), "reason": f.reason} for f in fitted.failed],
    }


def _point(point: LearningCurvePoint) -> dict[str, Any]:
    values = asdict(point)
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in values.items()
    }
