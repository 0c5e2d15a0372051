"""Fit the textness probe of the embedded model.

    python -m training.packing.build_textness --data ../shared/data

Run it again whenever the weights change: a probe of other weights is not used. Words are drawn onto
images with the fonts of this machine and of `--fonts`; each image is used once, with or without
text. The result is evaluated on held-out images of the same kinds, and on `--data`/backgrounds,
some of which show signs of their own.
"""

from pathlib import Path

import click
import numpy as np

from clipsearch.fonts import find_fonts, font_family
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.textness.collection_textness import BUNDLED_PROBE
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.self_supervised import FitSample, embed_sample, fit_sample
from clipsearch.textness.synthetic_text import TextRenderer

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
SOURCES = ("flickr8k/images", "coco/images", "imagenet_sample", "objects")
TEST_FOLDER = "backgrounds"
IMAGES_PER_CLASS = 2_000
HELD_OUT = 500
TEST_WORDS = tuple(
    word + ending
    for word in ("quartz", "velvet", "jungle", "puzzle", "wizard", "oxygen", "kayak", "fjord")
    for ending in ("", "s", " 47", " & co")
)
"""Words that the fit does not use."""


@click.command(help=__doc__)
@click.option("--data", type=FOLDER, required=True, help="Images, as in ../shared/data.")
@click.option("--fonts", type=FOLDER, help="More fonts than this machine has installed.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=BUNDLED_PROBE, help="File for the probe."
)
@click.option("--of-each", type=int, default=IMAGES_PER_CLASS, show_default=True)
def main(data: Path, fonts: Path | None, out: Path, of_each: int) -> None:
    encoder = PocketEncoder()
    files = {*find_fonts(), *(find_fonts([fonts]) if fonts else ())}
    # Whole font families are held out for the test.
    names = sorted({font_family(file) for file in files})
    tested = set(names[:: max(2, len(names) // 20)]) if len(names) > 3 else set()
    fitted = TextRenderer(fonts=sorted(file for file in files if font_family(file) not in tested))
    images = _images(data, SOURCES)
    found = embed_sample(encoder, images[: -3 * HELD_OUT], fitted, of_each)
    probe = fit_sample(encoder, found).probe
    probe.save(out)
    other = TextRenderer(
        words=TEST_WORDS, fonts=sorted(file for file in files if font_family(file) in tested)
    )
    tests = {
        "of the same kinds": images[-3 * HELD_OUT :],
        TEST_FOLDER: _images(data, (TEST_FOLDER,)),
    }
    results = [
        f"other words and {len(tested)} other font families, images {kind}: "
        + _measured(probe, embed_sample(encoder, paths, other, HELD_OUT, seed=1))
        for kind, paths in tests.items()
    ]
    click.echo(
        f"{probe.with_text} images with text, {probe.without_text} without, "
        f"{found.synthetic} of them drawn, {len(names) - len(tested)} font families\n"
        f"cross-validated: accuracy {probe.accuracy:.3f}, AUC {probe.auc:.3f}\n"
        + "\n".join(results)
        + f"\n{out}, for weights {probe.model.weights}"
    )


def _images(data: Path, folders: tuple[str, ...]) -> list[Path]:
    """Return all images in these folders, in a fixed random order."""
    paths = [
        path
        for folder in folders
        for path in sorted((data / folder).rglob("*"))
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    ]
    return [paths[number] for number in np.random.default_rng(0).permutation(len(paths))]


def _measured(probe: TextnessProbe, test: FitSample) -> str:
    positive, negative = probe.score(test.with_text), probe.score(test.without_text)
    accuracy = ((positive > 0.5).mean() + (negative <= 0.5).mean()) / 2
    auc = (positive[:, None] > negative[None]).mean()
    return f"accuracy {accuracy:.3f}, AUC {auc:.3f}"


if __name__ == "__main__":
    main()
