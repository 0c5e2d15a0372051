"""Zero-shot accuracy on classes of ImageNet that the heads have not seen, cross-validated.

    python -m training.measure.imagenet_folds --data ../shared/data

The classes of `imagenet_sample/` are split into folds. For each, new heads are trained as for a
quick trial, without the fold's images, their captions and the names of their classes, and the class
part does without these names too. The fold's images are then classified among the names of all
folds. The image tower was trained on all of ImageNet, so this measures what the texts know.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch

from clipsearch.models.pocket.encoder import WEIGHTS
from clipsearch.models.pocket.text_plan import Constants
from clipsearch.types import Vectors
from training.data import sources
from training.data.class_names import ClassNames
from training.data.dataset import load_dataset, sample_class, sample_images, trial_split
from training.data.features import Towers
from training.data.wordnet import imagenet_ids, read_synsets
from training.heads import assemble
from training.heads.fusion import BlendWeights, TextProjection
from training.heads.train import Recipe
from training.measure.class_folds import FOLDS, PLAIN, Phrasings, embed_names, summary
from training.measure.metrics import top1
from training.packing.build import DIM, HARD
from training.packing.released import ReleasedTowers

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--base", type=FOLDER, default=WEIGHTS, help="Folder of a released model.")
@click.option(
    "--cache", type=click.Path(path_type=Path), default=".cache/training", show_default=True
)
@click.option("--wordnet", type=click.Path(path_type=Path), default="/usr/share/wordnet/data.noun")
def main(data: Path, base: Path, cache: Path, wordnet: Path) -> None:
    graphs = ReleasedTowers(base)
    towers = Towers(graphs.image_features(), graphs.sentences(), graphs.tokenizer, cache)
    names = ClassNames(imagenet_ids(), read_synsets(wordnet))
    classifier = sources.image_classifier(cache)
    paths = sample_images(data)
    ids = [sample_class(path) for path in paths]
    labels = [names.synsets[id_].lemmas[0] for id_ in ids]
    features = towers.images(paths)
    results: list[tuple[float, float]] = []
    order = np.random.default_rng(0).permutation(len(ids))
    for number, fold in enumerate(np.array_split(order, FOLDS)):
        hidden = {ids[row] for row in fold}
        dataset = load_dataset(data, [], towers, names, hidden)
        split, _ = trial_split(dataset)
        heads = assemble.fit_heads(
            dataset,
            split,
            classifier,
            Recipe(hard=HARD[0]),
            device="cpu",
            checkpoint=cache / f"fold-{number}.pt",
        )
        image, text = assemble.fuse_heads([heads], dataset, split, BlendWeights(), DIM)
        with torch.no_grad():
            rows = assemble.trunk_outputs([heads], features, fold.tolist())
            images = image(rows).numpy()
        phrasings = Phrasings(partial(encode, text, towers))
        before, after = (
            top1(images, embed_names(phrasings, labels, constants), fold.tolist())
            for constants in (PLAIN, Constants())
        )
        results.append((before, after))
        click.echo(f"fold {number}: {before:.1f} → {after:.1f}")
    click.echo(summary(results))


def encode(text: TextProjection, towers: Towers, texts: Sequence[str]) -> Vectors:
    """Embed texts as they are: (n, d), without the part for reading."""
    with torch.no_grad():
        vectors: Vectors = text(towers.sentences(texts)).numpy()
    return vectors


if __name__ == "__main__":
    main()
