"""`clipsearch calibrate`."""

from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.cli.eval_options import images as images_option
from clipsearch.cli.eval_options import limit, split
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime


@click.command()
@click.argument("captions", required=False, type=options.FILE, metavar="[CAPTIONS]")
@images_option
@split
@limit
@click.option("--reset", is_flag=True, help="Remove the stored calibration of the model.")
@options.seed
@options.store
@options.runtime
def calibrate(
    *,
    captions: Path | None,
    images: Path | None,
    split: str | None,
    limit: int | None,
    reset: bool,
    seed: int,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Calibrate the model of a collection: its hits then have p, for --min-p.

    p is the estimated probability that a hit is relevant to a text. CAPTIONS is a file of captioned
    images, as for `eval retrieval`: 1,000 or more that the model was not trained on, with several
    captions each. Without it, the calibration of pocket is adapted to the model by a sample of the
    collection, which is less exact.

    The calibration belongs to the model: all collections of the model in this store use it, and so
    do all users of the store. pocket is calibrated already.

    \b
    clipsearch calibrate captions.jsonl --images images/
    clipsearch calibrate
    clipsearch calibrate --reset
    """
    if captions is None and (images or split or limit):
        raise UsageError("--images, --split and --limit need a file of captions")
    if captions is not None and reset:
        raise UsageError("give captions or --reset, not both")
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        model = index.collection.info.model.name
        if reset:
            note(
                f"{model} uses the calibration of clipsearch again"
                if index.reset_calibration()
                else f"{model} is not calibrated any more: its hits have no p"
            )
            return
        with progress_bar(quiet=captions is None) as bar:
            source = index.calibrate(
                captions, images=images, split=split, limit=limit, seed=seed, progress=bar
            )
        note(f"{model} is calibrated, by {source}")
