"""The embedded model on real photographs: right pictures on top, and recall that does not slip."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from clipsearch.images import decode
from clipsearch.models.openvino import Graph
from clipsearch.models.pocket import WEIGHTS, PocketEncoder
from clipsearch.types import Vectors
from clipsearch.vectors import normalize


@pytest.fixture(scope="module")
def pocket() -> PocketEncoder:
    return PocketEncoder()


Gallery = tuple[list[Path], Vectors]


def embedded(pocket: PocketEncoder, paths: list[Path]) -> Vectors:
    pixels = [pocket.preprocess(decode(path).image) for path in paths]
    return normalize(
        np.concatenate([pocket.encode_images(pixels[i : i + 32]) for i in range(0, len(paths), 32)])
    )


@pytest.fixture(scope="module")
def gallery(pocket: PocketEncoder) -> Gallery:
    """The photographs that scikit-image carries."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image is not installed (pip install clipsearch[demo])")
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
    names += ["coins.png", "brick.png", "grass.png", "page.png", "horse.png", "camera.png"]
    paths = [p for name in names if (p := Path(spec.origin).parent / "data" / name).exists()]
    return paths, embedded(pocket, paths)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a cat", "chelsea.png"),
        ("a cup of coffee", "coffee.png"),
        ("a rocket on a launch pad", "rocket.jpg"),
        ("a motorcycle", "motorcycle_left.png"),
        ("a horse", "horse.png"),
    ],
)
def test_a_text_finds_its_photograph(
    pocket: PocketEncoder, gallery: Gallery, text: str, wanted: str
) -> None:
    paths, vectors = gallery
    scores = vectors @ normalize(pocket.encode_texts([text])[0])
    assert paths[int(scores.argmax())].name == wanted


def test_the_fast_precision_hardly_turns_a_vector(pocket: PocketEncoder, gallery: Gallery) -> None:
    paths, vectors = gallery
    pixels = np.stack([pocket.preprocess(decode(path).image) for path in paths])
    cosines = (normalize(Graph(WEIGHTS / "image.xml")(pixels)) * vectors).sum(1)
    assert cosines.mean() > 0.999
    assert cosines.min() > 0.995


def test_captions_find_unseen_photographs(pocket: PocketEncoder, shared_data: Path) -> None:
    folder = shared_data / "flickr8k"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    unseen = [row for row in rows if row["split"] == "val"][:100]
    images = embedded(pocket, [folder / "images" / row["file"] for row in unseen])
    texts = normalize(pocket.encode_texts([row["captions"][0] for row in unseen]))
    scores = texts @ images.T
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    assert (ranks < 10).mean() > 0.8
