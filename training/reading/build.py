"""Build the part of the embedded model that reads, from drawn words on photographs.

    python -m training.reading.build --data ../shared/data --tower tower.pt --out reading.pt

Canvases, and what the image tower sees on them, are made once a tower and kept in the cache; a run
that was stopped goes on from its last checkpoint. The more families of typefaces, the better:
Debian's packages fonts-* have some hundred under free licences. Nouns come from Debian's
`wordnet-base`. `packing.build` takes the result.
"""

from pathlib import Path

import click
import torch

from training.data import sources
from training.image_tower.light_stem import load_tower
from training.reading.canvas import Studio
from training.reading.dataset import Taps, shards
from training.reading.evaluation import measure, typed
from training.reading.fonts import SCRIPTS, Hands, faces
from training.reading.train import fit
from training.reading.vocabulary import vocabulary

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
STATE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--fonts", type=FOLDER, default="/usr/share/fonts", show_default=True)
@click.option("--tower", type=STATE, required=True, help="What build_tower wrote.")
@click.option("--start", type=STATE, help="An earlier --out to go on from, at half the rate.")
@click.option("--out", type=FILE, required=True, help="Where the weights go.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--wordnet", type=FILE, default="/usr/share/wordnet/index.noun", show_default=True)
@click.option("--canvases", default=24_000, show_default=True, help="How many to draw.")
@click.option("--steps", default=4000, show_default=True, help="Batches of 32 canvases.")
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
    rows = sources.captioned(data / "flickr8k")
    told = vocabulary(wordnet, [caption for row in rows for caption in row.captions])
    found = faces([fonts])
    others = sorted((data / "backgrounds").rglob("*.jpg"))
    half = len(others) // 2
    photos = [row.path for row in rows if row.split == "train"] + others[:half]
    unseen = [row.path for row in rows if row.split != "train"] + others[half:]
    foreign = {script: Hands.of(found, script) for script in SCRIPTS}
    studio = Studio(photos, told, Hands.of(found), {k: v for k, v in foreign.items() if v.families})

    cache = cache / f"reading-{sources.fingerprint(tower)}"
    taps = Taps(load_tower(tower), cache)
    made = shards(canvases, studio, taps, cache, seed=seed)
    begun = sources.fingerprint(start) if start else "nothing"
    checkpoint = cache / f"{begun}-{seed}-{canvases}-{steps}.pt"
    pupil = fit(made, steps, device=device, checkpoint=checkpoint, seed=seed, start=start).cpu()
    torch.save({"tower": sources.fingerprint(tower), "pupil": pupil.state_dict()}, out)
    test = typed(unseen, told, Hands.of(found, test=True))
    click.echo(measure(pupil.reader, pupil.summary, pupil.speller, taps, test).table())


if __name__ == "__main__":
    main()
