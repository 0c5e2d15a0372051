"""`clipsearch eval`: the group, and its commands that measure one model."""

from pathlib import Path
from typing import Any

import click

from clipsearch import evaluation
from clipsearch.classify import TEMPLATES
from clipsearch.cli import options
from clipsearch.cli.eval_agreement import agreement
from clipsearch.cli.eval_compare import compare
from clipsearch.cli.eval_options import FILE, bars, images, limit, model, per_class, show, split


@click.group("eval")
def eval_group() -> None:
    """Measure how good a model is, on your own pictures.

    Every number comes with its 95 % interval: what as many other pictures could have given.

    \b
    clipsearch eval retrieval captions.jsonl --images photos/
    clipsearch eval zeroshot birds/
    clipsearch eval agreement ~/Pictures --model pocket --against clip
    clipsearch eval textness birds/
    clipsearch eval compare pocket clip --captions captions.jsonl -o compare.html
    """


eval = eval_group  # noqa: A001 - the command's name


@eval_group.command()
@click.argument("captions", type=FILE, metavar="CAPTIONS")
@model
@images
@split
@limit
@options.as_json
@options.runtime
def retrieval(*, captions: Path, as_json: bool, **rest: Any) -> int:
    """Does a caption find its picture, and a picture its captions?

    CAPTIONS is a file: JSON lines {"file", "captions"}, COCO captions JSON, Flickr tokens, or CSV.
    Recall at 1, 5 and 10, median rank and mAP, both ways; every caption counts, as in the papers.

    \b
    clipsearch eval retrieval captions.jsonl --split val
    clipsearch eval retrieval captions_val2017.json --images val2017/ --limit 1000
    """
    with bars() as bar:
        found = evaluation.evaluate_retrieval(captions, progress=bar(""), **rest)
    return show(found, as_json=as_json)


@eval_group.command()
@click.argument("folder", type=FILE, metavar="DIR")
@model
@click.option(
    "--template",
    default="a photo of a {}",
    show_default=True,
    metavar="TEXT",
    help="For the run without ensembling.",
)
@click.option(
    "--templates",
    "sets",
    multiple=True,
    type=click.Choice(list(TEMPLATES)),
    metavar="NAME",
    help=f"The ensemble: {', '.join(TEMPLATES)}. Repeatable.  [default: contexts]",
)
@click.option(
    "--labels",
    "names",
    type=FILE,
    metavar="FILE",
    help="What the folders are called: a folder's name, a space, its label, one a line.",
)
@per_class
@options.as_json
@options.runtime
def zeroshot(
    *, folder: Path, sets: tuple[str, ...], names: Path | None, as_json: bool, **rest: Any
) -> int:
    """Is the name of a picture's folder the best label for it?

    DIR holds a folder of pictures for each class. Top-1 and top-5 accuracy, with one template and
    with an ensemble of many.

    \b
    clipsearch eval zeroshot birds/ --per-class 50
    """
    labels = evaluation.read_class_names(names) if names else None
    ensemble = sets or evaluation.ENSEMBLE
    with bars() as bar:
        found = evaluation.evaluate_zero_shot(
            folder, ensemble=ensemble, labels=labels, progress=bar(""), **rest
        )
    return show(found, as_json=as_json)


@eval_group.command()
@click.argument("folder", type=FILE, metavar="DIR")
@model
@per_class
@options.as_json
@options.runtime
def textness(*, folder: Path, as_json: bool, **rest: Any) -> int:
    """Is a word taken for the thing, and does --textness mend it?

    DIR holds a folder of pictures for each class. Their names are written on pictures of other
    classes, in memory, and searched for: how many of the first ten hits are words, how many the
    thing, at several scales of textness.

    \b
    clipsearch eval textness birds/
    """
    with bars() as bar:
        found = evaluation.evaluate_textness(folder, progress=bar(""), **rest)
    return show(found, as_json=as_json)


eval_group.add_command(agreement)
eval_group.add_command(compare)
