"""Explanations: heat maps peak on the object, and the words that matter contribute most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clipsearch.errors import ImageError, UsageError
from clipsearch.explain.explanation import explain_match
from clipsearch.explain.patches import PatchEncoder
from clipsearch.images.decode import decode
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.types import Pixels
from tests.helpers.fakes import ColorEncoder, draw


def spotted(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """A blue image with a red box."""
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), box)
    return image


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((300, 200), (20, 20, 80, 80)),
        ((200, 300), (120, 200, 180, 260)),
        ((900, 150), (700, 40, 770, 110)),
        ((64, 64), (40, 8, 60, 28)),
    ],
)
def test_the_peak_is_inside_the_matching_box(
    size: tuple[int, int], box: tuple[int, int, int, int], encoder: ColorEncoder
) -> None:
    found = explain_match("red", spotted(size, box), model=encoder)
    x, y = found.peak
    margin = 10
    assert box[0] - margin <= x <= box[2] + margin
    assert box[1] - margin <= y <= box[3] + margin
    assert found.method == "occlusion"
    assert found.heat_map.dtype == np.float32
    assert 0 == found.heat_map.min() <= found.heat_map.max() == 1
    assert found.heat_map.shape[0] / found.heat_map.shape[1] == pytest.approx(
        size[1] / size[0], rel=0.05
    )


def test_each_color_has_its_own_map(encoder: ColorEncoder) -> None:
    image = spotted((200, 200), (0, 0, 100, 200))
    red, blue = (explain_match(name, image, model=encoder).heat_map for name in ("red", "blue"))
    left, right = slice(0, red.shape[1] // 2), slice(red.shape[1] // 2, None)
    assert red[:, left].mean() > 3 * red[:, right].mean()
    assert blue[:, right].mean() > 3 * blue[:, left].mean()


def test_an_image_of_one_color_has_a_flat_map(encoder: ColorEncoder) -> None:
    found = explain_match("red", Image.new("RGB", (50, 50), (0, 0, 255)), model=encoder)
    assert found.heat_map.max() < 1e-6 or found.heat_map.std() < 0.5  # rounding at most
    assert found.words == ()


def test_contributions_are_measured_by_leaving_words_out(encoder: ColorEncoder) -> None:
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    found = explain_match("a red wall", image, model=encoder)
    values = {one.word: one.value for one in found.words}
    assert list(values) == ["a", "red", "wall"]
    [vector] = embed_images(encoder, [image])
    whole, without = embed_texts(encoder, ["a red wall", "a wall"]) @ vector
    assert values["red"] == pytest.approx(whole - without)
    assert values["red"] > 0.5
    assert values["a"] == values["wall"] == pytest.approx(0)


def test_a_word_that_contradicts_the_image_lowers_the_score(encoder: ColorEncoder) -> None:
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    found = explain_match("red blue", image, model=encoder)
    assert found.words[0].value > 0 > found.words[1].value


class PatchyEncoder(ColorEncoder):
    """An encoder with patch embeddings: the mean colors of a grid of 4 x 4."""

    has_patches = True

    def preprocess(self, image: Image.Image) -> Pixels:
        side = min(image.size)  # cut to a square, as CLIP does
        left, upper = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, upper, left + side, upper + side))
        return np.asarray(square.resize((4, 4), Image.Resampling.BOX), dtype=np.uint8)

    def encode_patches(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        colors = np.stack(pixels).astype(np.float32)
        return np.concatenate([colors, np.zeros((*colors.shape[:3], 1), np.float32)], axis=-1)


def test_patches_cover_what_the_center_crop_cuts_off() -> None:
    encoder = PatchyEncoder()
    assert isinstance(encoder, PatchEncoder)
    box = (540, 60, 590, 110)  # outside the center crop
    found = explain_match("red", spotted((600, 200), box), model=encoder)
    assert found.method == "patches"
    x, y = found.peak
    assert 515 <= x <= 600
    assert 35 <= y <= 135
    occluded = explain_match("red", spotted((60, 20), box), model=encoder, method="occlusion")
    assert occluded.method == "occlusion"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"query": " "}, "empty"),
        ({"method": "magic"}, "unknown method 'magic': choose one of auto, occlusion, patches"),
        ({"method": "patches"}, "pocket has no patch embeddings: use the method occlusion"),
        ({"image": "nowhere.jpg"}, r"no such image: nowhere\.jpg"),
        ({"image": Image.new("RGB", (300, 3), "red")}, "300 x 3 pixels is too small to explain"),
    ],
)
def test_invalid_arguments_raise_usage_error(
    wrong: dict[str, Any], reason: str, encoder: ColorEncoder
) -> None:
    arguments: dict[str, Any] = {"query": "red", "image": spotted((20, 20), (0, 0, 9, 9))}
    with pytest.raises(UsageError, match=reason):
        explain_match(**(arguments | wrong), model=encoder)


def test_an_error_names_the_broken_image(tmp_path: Path, encoder: ColorEncoder) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(draw(tmp_path / "whole.png").read_bytes()[:60])
    with pytest.raises(ImageError, match=r"broken\.png"):
        explain_match("red", path, model=encoder)


def test_as_json(encoder: ColorEncoder) -> None:
    found = explain_match(
        "red wall", spotted((160, 80), (100, 20, 140, 60)), model=encoder
    ).as_json()
    assert np.asarray(found["heat_map"]).shape == (8, 16)
    y, x = np.unravel_index(np.asarray(found["heat_map"]).argmax(), (8, 16))
    assert 10 <= x <= 13
    assert 2 <= y <= 5
    assert [word["word"] for word in found["words"]] == ["red", "wall"]


def test_the_peak_is_on_the_dog_among_four_images(shared_data: Path) -> None:
    folder = shared_data / "flickr8k" / "images"
    dog, *others = [
        "269630255_c3ec75c792.jpg",  # a dog on grass
        "3501936223_6122a13d27.jpg",  # a skier
        "3141440149_00becbbb93.jpg",  # two boys in a kitchen
        "3507670136_2e5f94accf.jpg",  # a motorcycle
    ]
    four = Image.new("RGB", (448, 448))
    for number, name in enumerate([*others[:2], dog, others[2]]):
        image = decode(folder / name).image.resize((224, 224))
        four.paste(image, (number % 2 * 224, number // 2 * 224))
    found = explain_match("a dog on the grass", four, model=PocketEncoder())
    x, y = found.peak
    assert (x < 224, y > 224) == (True, True)  # lower left
    half = found.heat_map.shape[0] // 2
    assert found.heat_map[half:, :half].sum() > 0.5 * found.heat_map.sum()
