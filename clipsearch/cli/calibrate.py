"""`clipsearch calibrate`."""

from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.cli.eval_options import images as images_option
from clipsearch.cli.eval_options import limit, split
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.evaluation.calibrate import (
    calibrate_on_captions,
    calibrate_on_collection,
    reset_calibration,
    save_calibration,
)
from clipsearch.models.runtime import Runtime
from clipsearch.session import Session


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
    with Session.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as session:
        model = session.collection.info.model.name
        if reset:
            remaining = session.read(reset_calibration)
            note(
                f"{model} uses the calibration of clipsearch again"
                if remaining
                else f"{model} is not calibrated any more: its hits have no p"
            )
            return
        encoder = session.load()
        if captions is None:
            found = session.read(lambda stored: calibrate_on_collection(encoder, stored))
        else:
            with progress_bar(unit=" images") as bar:
                found = calibrate_on_captions(
                    encoder,
                    captions,
                    images=images,
                    split=split,
                    limit=limit,
                    seed=seed,
                    progress=bar,
                )
        save_calibration(found, session.collection)
        note(f"{model} is calibrated, by {found.source}")
