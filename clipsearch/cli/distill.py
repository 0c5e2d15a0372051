"""`clipsearch distill`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tqdm import tqdm

from clipsearch.cli import options
from clipsearch.cli.main import EXIT_SOME_FAILED
from clipsearch.distill import DistillReport
from clipsearch.distill.config import BATCH_SIZE, EPOCHS, HELD_OUT
from clipsearch.distill.pipeline import distill_model
from clipsearch.escape import escape_control
from clipsearch.files.progress import Progress
from clipsearch.models.runtime import Runtime
from clipsearch.render import evaluation_table

SHOWN_FAILURES = 20

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--teacher", required=True, metavar="MODEL", help="See `clipsearch models`.")
@click.option("--images", required=True, type=PATH, metavar="DIR", help="Pictures to learn from, without captions.")  # fmt: skip
@click.option("-o", "--output", required=True, type=PATH, metavar="DIR", help="A new folder for the student, or the one of an interrupted run.")  # fmt: skip
@click.option("--text-captions", type=PATH, metavar="FILE", help="Make the text tower small too, from captions: one a line, or a caption file.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=EPOCHS, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=2), default=BATCH_SIZE, show_default=True, help="Pictures that are compared with each other.")  # fmt: skip
@click.option("--heads", type=click.IntRange(min=1), help="Attention heads.  [default: 32 wide, 12 for a ViT-B/32]")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--held-out", type=click.FloatRange(0, 1, max_open=True), default=HELD_OUT, show_default=True, metavar="SHARE", help="Pictures to measure on only.")  # fmt: skip
@click.option("--half", is_flag=True, help="Save float16: half the room.")
@options.as_json
@options.runtime
def distill(
    *,
    teacher: str,
    images: Path,
    output: Path,
    text_captions: Path | None,
    epochs: int,
    batch_size: int,
    heads: int | None,
    seed: int,
    held_out: float,
    half: bool,
    as_json: bool,
    runtime: Runtime,
) -> int:
    """Train a small model of your own that finds nearly what a large one finds.

    The student's image tower has half the width and half the layers of its teacher's; the text tower
    stays, unless captions are given. Any pictures do: many, and like those that will be searched.
    Ctrl-C leaves a model of the last epoch, and the same command goes on.

    \b
    clipsearch distill --teacher clip --images ~/Pictures -o student/
    clipsearch ingest ~/Pictures --model local-dir:student -c small
    """
    found = distill_model(
        teacher, images, output, captions=text_captions, epochs=epochs, batch_size=batch_size,
        seed=seed, heads=heads, held_out=held_out, half=half, runtime=runtime, progress=_bar,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        if found.agreement:
            click.echo(evaluation_table.format_evaluation(found.agreement) + "\n")
        click.echo("\n".join(_summary(found)))
    for one in found.skipped[:SHOWN_FAILURES]:
        click.echo(f"failed: {escape_control(f'{one.path}: {one.reason}')}", err=True)
    if found.skipped:
        click.echo(f"{len(found.skipped):,} pictures could not be used", err=True)
    return EXIT_SOME_FAILED if found.skipped else 0


@contextmanager
def _bar(name: str, total: float | None) -> Iterator[Progress | None]:
    """A bar on standard error for one stage, where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with tqdm(desc=name, total=total, dynamic_ncols=True, leave=False) as bar:
        yield bar


def _summary(found: DistillReport) -> list[str]:
    towers = f"image tower of {found.parameters / 1e6:.1f} M parameters"
    if found.text_parameters is not None:
        towers += f", text tower of {found.text_parameters / 1e6:.1f} M"
    lines = [f"{towers}; learnt from {found.trained:,} pictures, measured on {found.held_out:,}"]
    wide = max(map(len, found.sizes))
    lines += [f"  {name:<{wide}}  {size / 1e6:8.1f} MB" for name, size in found.sizes.items()]
    return [*lines, f"use it as --model {escape_control(found.model)}"]
