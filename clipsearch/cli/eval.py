"""The group `clipsearch eval`; its larger commands have files of their own."""

from pathlib import Path
from typing import Any

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_agreement import agreement
from clipsearch.cli.eval_ann_recall import ann_recall
from clipsearch.cli.eval_compare import compare
from clipsearch.cli.eval_options import images, limit, per_class, show, split
from clipsearch.cli.label_options import template_sets
from clipsearch.cli.progress import progress_bar


@click.group("eval")
def eval_group() -> None:
    """Measure the quality of a model on your own images.

    Every result comes with its 95 % confidence interval.

    \b
    clipsearch eval retrieval captions.jsonl --images images/
    clipsearch eval zero-shot birds/
    clipsearch eval agreement ~/Pictures --model pocket --reference clip
    clipsearch eval textness birds/
    clipsearch eval ann-recall
    clipsearch eval compare pocket clip --captions captions.jsonl -o compare.html
    """


eval = eval_group  # noqa: A001 - the name of the command


@eval_group.command()
@click.argument("captions", type=options.FILE, metavar="CAPTIONS")
@options.model
@images
@split
@limit
@options.as_json
@options.runtime
def retrieval(*, captions: Path, as_json: bool, **rest: Any) -> int:
    """Measure retrieval of images by caption, and of captions by image.

    CAPTIONS is a file: JSON lines {"file", "captions"}, COCO captions JSON, Flickr tokens, or CSV.
    The results are recall at 1, 5 and 10, median rank and mAP, in both directions. Every caption
    counts, as in published results.

    \b
    clipsearch eval retrieval captions.jsonl --split val
    clipsearch eval retrieval captions_val2017.json --images val2017/ --limit 1000
    """
    with progress_bar(unit=" items") as bar:
        result = evaluation.evaluate_retrieval(captions, progress=bar, **rest)
    return show(result, as_json=as_json)


@eval_group.command()
@click.argument("folder", type=options.FOLDER, metavar="DIR")
@options.model
@click.option(
    "--template",
    default="a photo of a {}",
    show_default=True,
    metavar="TEXT",
    help="The single template.",
)
@template_sets
@click.option(
    "--class-names",
    type=options.FILE,
    metavar="FILE",
    help="Names of the classes: in each line a folder's name, a space, and the name to use.",
)
@per_class
@options.as_json
@options.runtime
def zero_shot(
    *,
    folder: Path,
    template_sets: tuple[str, ...],
    class_names: Path | None,
    as_json: bool,
    **rest: Any,
) -> int:
    """Measure zero-shot classification of images in class folders.

    DIR holds one folder of images per class. The results are top-1 and top-5 accuracy, with a
    single template and with an ensemble of templates.

    \b
    clipsearch eval zero-shot birds/ --per-class 50
    """
    labels = evaluation.read_class_names(class_names) if class_names else None
    with progress_bar(unit=" items") as bar:
        result = evaluation.evaluate_zero_shot(
            folder,
            ensemble=template_sets or evaluation.ENSEMBLE,
            labels=labels,
            progress=bar,
            **rest,
        )
    return show(result, as_json=as_json)


@eval_group.command()
@click.argument("folder", type=options.FOLDER, metavar="DIR")
@options.model
@per_class
@options.as_json
@options.runtime
def textness(*, folder: Path, as_json: bool, **rest: Any) -> int:
    """Measure how often written words are found instead of objects (typographic attack).

    DIR holds one folder of images per class. The names of the classes are drawn onto images of
    other classes, in memory. The results count written words and real objects among the first ten
    hits, at several scales of textness.

    \b
    clipsearch eval textness birds/
    """
    with progress_bar(unit=" items") as bar:
        result = evaluation.evaluate_textness(folder, progress=bar, **rest)
    return show(result, as_json=as_json)


for command in (agreement, ann_recall, compare):
    eval_group.add_command(command)
