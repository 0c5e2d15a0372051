"""Build the reading heads of the embedded model, from words drawn on images.

    python -m training.reading.build --data ../shared/data --tower tower.pt --out reading.pt

Canvases and their features are computed once per tower and cached; an interrupted run resumes from
its last checkpoint. More font families give better results: Debian's fonts-* packages have about a
hundred under free licenses. Nouns come from Debian's `wordnet-base`. `packing.build` takes the
result.
"""

from pathlib import Path

import click
import torch

from training.data import sources
from training.image_tower.light_stem import load_tower
from training.reading.canvas import CanvasFactory
from training.reading.dataset import LowerTower, make_shards
from training.reading.evaluation import evaluate_reading, make_typed_test
from training.reading.fonts import SCRIPTS, FontSet, find_faces
from training.reading.train import fit
from training.reading.vocabulary import load_vocabulary

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--fonts", type=FOLDER, default="/usr/share/fonts", show_default=True)
@click.option("--tower", type=STATE, required=True, help="Output of training.image_tower.build.")
@click.option(
    "--start", type=STATE, help="An earlier --out to continue from, at half the learning rate."
)
@click.option("--out", type=FILE, required=True, help="File for the weights.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=FILE, default="/usr/share/wordnet/index.noun", show_default=True)
@click.option("--canvases", default=24_000, show_default=True, help="Number of canvases to draw.")
@click.option(
    "--steps", default=4000, show_default=True, help="Training steps, of 32 canvases each."
)
@click.option("--device", default="cpu", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path,
    fonts: Path,
    tower: Path,
    start: Path | None,
    out: Path,
    cache: Path,
    wordnet: Path,
    canvases: int,
    steps: int,
    device: str,
    seed: int,
) -> None:
    rows = sources.read_captioned(data / "flickr8k")
    vocabulary = load_vocabulary(wordnet, [caption for row in rows for caption in row.captions])
    faces = find_faces([fonts])
    others = sorted((data / "backgrounds").rglob("*.jpg"))
    half = len(others) // 2
    images = [row.path for row in rows if row.split == "train"] + others[:half]
    unseen = [row.path for row in rows if row.split != "train"] + others[half:]
    foreign = {script: FontSet.of(faces, script) for script in SCRIPTS}
    factory = CanvasFactory(
        images, vocabulary, FontSet.of(faces), {k: v for k, v in foreign.items() if v.families}
    )

    cache = cache / f"reading-{sources.fingerprint(tower)}"
    tower_ = LowerTower(load_tower(tower), cache)
    canvas_shards = make_shards(canvases, factory, tower_, cache, seed=seed)
    start_hash = sources.fingerprint(start) if start else "nothing"
    checkpoint = cache / f"{start_hash}-{seed}-{canvases}-{steps}.pt"
    model = fit(
        canvas_shards, steps, device=device, checkpoint=checkpoint, seed=seed, start=start
    ).cpu()
    torch.save({"tower": sources.fingerprint(tower), "model": model.state_dict()}, out)
    test = make_typed_test(unseen, vocabulary, FontSet.of(faces, test=True))
    click.echo(
        evaluate_reading(model.reader, model.pooling, model.word_encoder, tower_, test).table()
    )


if __name__ == "__main__":
    main()
