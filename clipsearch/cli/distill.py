"""`clipsearch distill`."""

import json
from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.cli.failures import show_failures
from clipsearch.cli.progress import progress_bar
from clipsearch.distill import DistillReport
from clipsearch.distill.config import BATCH_SIZE, EPOCHS, HELD_OUT
from clipsearch.distill.pipeline import distill_model
from clipsearch.escape import escape_control
from clipsearch.models.runtime import Runtime
from clipsearch.render import evaluation_table


@click.command()
@click.option(
    "--teacher",
    required=True,
    metavar="MODEL",
    help="Name of the large model, see `clipsearch models`.",
)
@click.option(
    "--images",
    required=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of the training images.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=options.FOLDER,
    metavar="DIR",
    help="A new folder for the student, or that of an interrupted run.",
)
@click.option(
    "--captions",
    type=options.FILE,
    metavar="FILE",
    help="Also train a small text tower, on captions: one per line, or a caption file.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=EPOCHS,
    show_default=True,
    help="Number of passes over the images.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=2),
    default=BATCH_SIZE,
    show_default=True,
    help="Number of images per training step.",
)
@click.option(
    "--heads",
    type=click.IntRange(min=1),
    help="Number of attention heads.  [default: one per 32 channels, 12 for a ViT-B/32]",
)
@options.seed
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, max_open=True),
    default=HELD_OUT,
    show_default=True,
    metavar="0..1",
    help="Share of the images used for evaluation only.",
)
@click.option("--half", is_flag=True, help="Save the weights as float16, half the size.")
@options.as_json
@options.runtime
def distill(
    *,
    teacher: str,
    images: Path,
    output: Path,
    captions: Path | None,
    epochs: int,
    batch_size: int,
    heads: int | None,
    seed: int,
    held_out: float,
    half: bool,
    as_json: bool,
    runtime: Runtime,
) -> int:
    """Train a small model to reproduce the embeddings of a large one.

    The student's image tower has half the width and half the layers of the teacher's. The text
    tower is copied unless --captions is given. Images need no captions; use many, similar to those
    that will be searched. After Ctrl-C the folder holds a model of the last epoch; the same command
    resumes.

    \b
    clipsearch distill --teacher clip --images ~/Pictures -o student/
    clipsearch ingest ~/Pictures --model local-dir:student -c small
    """
    report = distill_model(
        teacher,
        images,
        output,
        captions=captions,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        heads=heads,
        held_out=held_out,
        half=half,
        runtime=runtime,
        progress=progress_bar,
    )
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        if report.agreement:
            click.echo(evaluation_table.format_evaluation(report.agreement) + "\n")
        click.echo("\n".join(_summary(report)))
    return show_failures(report.skipped)


def _summary(report: DistillReport) -> list[str]:
    towers = f"image tower of {report.parameters / 1e6:.1f} M parameters"
    if report.text_parameters is not None:
        towers += f", text tower of {report.text_parameters / 1e6:.1f} M"
    width = max(map(len, report.sizes))
    return [
        f"{towers}; trained on {report.trained:,} images, evaluated on {report.held_out:,}",
        *(f"  {name:<{width}}  {size / 1e6:8.1f} MB" for name, size in report.sizes.items()),
        f"use it as --model {escape_control(report.model)}",
    ]
