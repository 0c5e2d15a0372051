"""Calibrate the embedded model: how probable it is that a hit is relevant to a text.

    python -m training.packing.build --data ../shared/data --calibration
    python -m training.packing.build_calibration --data ../shared/data \\
        --trial .cache/training/calibration

Run it again whenever the weights change: a calibration of other weights is not used. It must be
fitted to images that the model was not trained on, which score lower. With `--trial`, those are the
images that this model was trained without, embedded by it, and the words and moments are then taken
from the released weights. Without it, they are Flickr8k's 500 validation images and those of
`--unseen`, embedded by the released weights.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from clipsearch.calibration import Calibration
from clipsearch.calibration.collection_calibration import BUNDLED
from clipsearch.calibration.fit import adapt_calibration, fit_calibration
from clipsearch.evaluation.calibrate import embed_captions
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder
from training.data.dataset import trial_rows
from training.data.sources import CaptionedImage, own_captioned, read_captioned
from training.measure.eval_release import embed_images, embed_texts

# Added to the logits. A caption says "terrier", and the fit takes it that this is no dog: by lists
# of words for each query (`training.measure.eval_calibration`), p was too small by this much.
SHIFT = 0.5

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--model", type=FOLDER, default=WEIGHTS, help="Folder of the released weights.")
@click.option("--trial", type=FOLDER, help="Output of packing.build --calibration.")
@click.option("--shift", default=SHIFT, show_default=True, help="Added to the logits of p.")
@click.option("--unseen", type=FOLDER, multiple=True, help="Images that --model has not seen.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=BUNDLED, help="File for the calibration."
)
def main(
    data: Path, model: Path, trial: Path | None, shift: float, unseen: tuple[Path, ...], out: Path
) -> None:
    released = PocketEncoder(model)
    rows = rows_without_training(data) if trial else unseen_rows(data, unseen)
    source = f"captions of {len(rows):,} images"
    encoder = PocketEncoder(trial) if trial else released
    images = embed_images(encoder, [row.path for row in rows])
    captioned = embed_captions(encoder, images, [row.captions for row in rows])
    calibration = fit_calibration(encoder.identity, captioned, source)
    if trial:
        calibration = adapt_calibration(
            calibration,
            released.identity,
            embed_texts(released, calibration.bank.words),
            embed_images(released, [row.path for row in rows]),
            source,
        )
    calibration = shifted(calibration, shift)
    out.write_bytes(calibration.to_bytes())
    size = out.stat().st_size
    click.echo(f"{calibration.source}: {out}, {size:,} bytes, for {calibration.model.weights}")


def shifted(calibration: Calibration, shift: float) -> Calibration:
    """Return a calibration with `shift` added to the logits of p."""
    network = calibration.network
    bias = np.asarray(network.out_bias + shift, dtype=np.float32)
    return replace(calibration, network=replace(network, out_bias=bias))


def unseen_rows(data: Path, folders: Sequence[Path]) -> list[CaptionedImage]:
    """Return Flickr8k's validation images, and those of more folders."""
    flickr = [row for row in read_captioned(data / "flickr8k") if row.split != "train"]
    return [*flickr, *(row for folder in folders for row in read_captioned(folder))]


def rows_without_training(data: Path) -> list[CaptionedImage]:
    """Return the captioned images that `packing.build --calibration` does not train on."""
    flickr, coco = read_captioned(data / "flickr8k"), read_captioned(data / "coco")
    others = own_captioned(data, sorted((data / "backgrounds").glob("*.*")))
    _, held = trial_rows(flickr, coco, others)
    return [
        *(flickr[row] for row in held.flickr),
        *(coco[row] for row in held.coco),
        *(others[row] for row in held.backgrounds),
        *read_captioned(data / "everyday")[1::2],
    ]


if __name__ == "__main__":
    main()
