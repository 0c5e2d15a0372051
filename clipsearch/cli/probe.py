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
from clipsearch.cli.query import filters
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters
from clipsearch.render.display_text import display_path
from clipsearch.render.learning_curve import SUFFIXES, write_curve
from clipsearch.render.output_file import require_suffix


@click.group(no_args_is_help=False)  # an error of one line, as of every command
def probe() -> None:
    """Learn labels from folders of examples, and apply them.

    \b
    clipsearch probe fit examples/ -o birds.probe --figure curve.png
    clipsearch probe apply birds.probe ~/Pictures
    """


@probe.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the probe.",
)
@click.option("--model", default="auto", show_default=True, help="See `clipsearch models`.")
@click.option(
    "--shots",
    default=",".join(map(str, SHOTS)),
    show_default=True,
    metavar="K,…",
    help="Labelled pictures of each class, for the curve.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    default=SEEDS,
    show_default=True,
    help="Runs of the curve; 0 measures none.",
)
@label_options.decorated(*label_options.TEMPLATE_OPTIONS)
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Also draw the curve: {', '.join(SUFFIXES)}.",
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
    own: tuple[str, ...],
    sets: tuple[str, ...],
    figure: Path | None,
    as_json: bool,
    runtime: Runtime,
) -> int:
    """Learn to tell apart the folders in DIR, which hold a class of pictures each.

    It is logistic regression on the vectors of the model, which stays as it is. First it measures how
    accuracy on pictures held out grows with the examples a class, beside the folders' names alone
    (zero-shot).

    \b
    clipsearch probe fit examples/ -o birds.probe --figure curve.png
    """  # fmt: skip
    numbers = _numbers(shots)
    if figure:
        require_suffix(figure, SUFFIXES)
    if figure and not seeds:
        raise UsageError("--seeds 0 measures nothing that --figure could draw")
    for file in (output, figure):  # a mistyped folder, before minutes of work
        if file and not is_folder(expand_user(file).parent):
            raise UsageError(f"there is no folder {file.parent} to write {file.name} into")
    templates = label_options.templates_of(own, sets)
    with label_options.progress() as bar:
        fitted = fit_linear_probe(
            folder, model=model, runtime=runtime, shots=numbers, seeds=seeds,
            templates=templates, progress=bar,
        )  # fmt: skip
    fitted.probe.save(output)
    if figure and fitted.curve:
        write_curve(figure, fitted.curve, title=_title(fitted))
    if as_json:
        click.echo(json.dumps(_as_json(fitted)))
    elif fitted.curve:
        click.echo(_table(fitted.curve))
    for line in _summary(fitted, output, figure):
        click.echo(line, err=True)
    return label_options.show_failures(fitted.failed)


@probe.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@label_options.decorated(*label_options.OUTPUT)
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
    """Tell the classes of pictures by the probe in FILE.

    PATHS are files and folders. Without any, it is the whole collection, of which no picture is
    decoded; `clipsearch tag --probe FILE` writes the classes into it.

    \b
    clipsearch probe apply birds.probe ~/Pictures --top 1
    """
    loaded = LinearProbe.load(file)
    top = label_options.shown_top(top, as_json=as_json, as_csv=as_csv)
    wanted = Filters(**rest)
    if paths:
        label_options.refuse_store(paths, context)
        label_options.refuse_filters(wanted)
        with label_options.progress() as bar:
            found = apply_linear_probe(
                loaded, paths, runtime=runtime, top=top, threshold=threshold, progress=bar
            )
        return label_options.show(found.images, found.failed, as_json=as_json, as_csv=as_csv)
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        images = index.classify(loaded, filters=wanted, top=top, threshold=threshold)
    return label_options.show(images, [], as_json=as_json, as_csv=as_csv)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise UsageError(f"--shots takes numbers such as 1,2,4, not {text!r}") from error
    if not numbers or min(numbers) < 1:
        raise UsageError(f"--shots takes numbers from 1, such as 1,2,4, not {text!r}")
    return numbers


def _table(curve: LearningCurve) -> str:
    points = ([curve.zero_shot] if curve.zero_shot else []) + list(curve.points)
    lines = [f"{'examples a class':>16}  {'accuracy':>8}  95% interval"]
    for point in points:
        reach = f"{point.low:.1%} to {point.high:.1%}" if isfinite(point.low) else ""
        lines.append(f"{_name(point):>16}  {point.mean:>8.1%}  {reach}".rstrip())
    return "\n".join(lines)


def _name(point: LearningCurvePoint) -> str:
    if point.shots is None:
        return f"all {point.examples:,.0f}"
    return "zero-shot" if point.shots == 0 else str(point.shots)


def _title(fitted: ProbeFit) -> str:
    probe = fitted.probe
    return f"{probe.model.name}: {len(probe.labels)} classes, {probe.images:,} pictures"


def _summary(fitted: ProbeFit, output: Path, figure: Path | None) -> list[str]:
    lines = []
    if fitted.curve:
        seeds = fitted.curve.points[-1].seeds
        lines.append(
            f"{seeds} {'run' if seeds == 1 else 'runs'}, each on {fitted.curve.tested:,} held-out "
            "pictures"
        )
        if (worth := fitted.curve.zero_shot_equivalent) is not None:
            lines.append(f"zero-shot does as well as {worth:.1f} examples a class")
    lines.append(f"probe of {_title(fitted)}: {display_path(output)}")
    return lines + ([f"figure: {display_path(figure)}"] if figure else [])


def _as_json(fitted: ProbeFit) -> dict[str, Any]:
    probe, curve = fitted.probe, fitted.curve
    return {
        "model": asdict(probe.model),
        "labels": probe.labels,
        "pictures": probe.images,
        "tested": curve.tested if curve else 0,
        "strength": curve.inverse_penalty if curve else None,
        "zero_shot": _point(curve.zero_shot) if curve and curve.zero_shot else None,
        "curve": [_point(point) for point in curve.points] if curve else [],
        "zero_shot_worth": curve.zero_shot_equivalent if curve else None,
        "failed": [{"path": str(f.path), "reason": f.reason} for f in fitted.failed],
    }


def _point(point: LearningCurvePoint) -> dict[str, Any]:
    values = asdict(point)
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in values.items()
    }
