"""The embedded model on real images: ranking of single images, and lower bounds of recall."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageDraw, ImageFont

from clipsearch.images.decode import decode
from clipsearch.models.openvino_runtime import Graph
from clipsearch.models.pocket.encoder import WEIGHTS, PocketEncoder
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
    """The images of scikit-image."""
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
        ("a rocket launch", "rocket.jpg"),
        ("a motorcycle", "motorcycle_left.png"),
        ("a horse", "horse.png"),
    ],
)
def test_a_text_finds_its_image(
    pocket: PocketEncoder, gallery: Gallery, text: str, wanted: str
) -> None:
    paths, vectors = gallery
    scores = vectors @ normalize(pocket.encode_texts([text])[0])
    assert paths[int(scores.argmax())].name == wanted


def test_bfloat16_hardly_changes_a_vector(pocket: PocketEncoder, gallery: Gallery) -> None:
    paths, vectors = gallery
    pixels = np.stack([pocket.preprocess(decode(path).image) for path in paths])
    exact = Graph(WEIGHTS / "head.xml")(Graph(WEIGHTS / "image.xml")(pixels))
    cosines = (normalize(exact) * vectors).sum(1)
    assert cosines.mean() > 0.999
    assert cosines.min() > 0.995


def test_captions_find_unseen_images(pocket: PocketEncoder, shared_data: Path) -> None:
    folder = shared_data / "flickr8k"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    unseen = [row for row in rows if row["split"] == "val"][:100]
    images = embedded(pocket, [folder / "images" / row["file"] for row in unseen])
    texts = normalize(pocket.encode_texts([row["captions"][0] for row in unseen]))
    scores = texts @ images.T
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    assert (ranks < 10).mean() > 0.88


def test_objects_are_told_apart_by_their_names(pocket: PocketEncoder, shared_data: Path) -> None:
    folders = sorted((shared_data / "objects").iterdir())
    images = embedded(pocket, [sorted(folder.glob("*.jpg"))[5] for folder in folders])
    names = [folder.name.replace("_", " ").lower() for folder in folders]
    texts = normalize(pocket.encode_texts([f"a photo of a {name}" for name in names]))
    right = (images @ texts.T).argmax(1) == np.arange(len(folders))
    assert right.mean() > 0.8  # the model has learnt these names


def test_a_word_written_in_an_image_is_found(pocket: PocketEncoder, shared_data: Path) -> None:
    words = ["LONDON", "COFFEE", "pizza", "Garden", "OPEN", "school", "JAZZ", "winter"]
    paths = sorted((shared_data / "backgrounds").glob("*.*"))[: len(words)]
    pixels = []
    for word, path in zip(words, paths, strict=True):
        image = decode(path).image.resize((448, 448))
        pen = ImageDraw.Draw(image)
        pen.text((40, 180), word, "white", ImageFont.load_default(90), stroke_width=3)
        pixels.append(pocket.preprocess(image))
    images = normalize(pocket.encode_images(pixels))
    texts = normalize(pocket.encode_texts([f"the word {word}" for word in words]))
    right = (texts @ images.T).argmax(1) == np.arange(len(words))
    assert right.mean() >= 0.6


def test_an_image_of_an_unknown_kind_is_not_first_for_all_texts(
    pocket: PocketEncoder, gallery: Gallery
) -> None:
    paths, vectors = gallery
    nouns = ["a dog", "a man on a bicycle", "children at a table", "a red car", "a bird", "a house"]
    first = (vectors @ normalize(pocket.encode_texts(nouns)).T).argmax(0)
    assert np.bincount(first, minlength=len(paths)).max() < len(nouns)
