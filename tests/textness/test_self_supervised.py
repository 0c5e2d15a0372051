"""A fit to a collection with drawn text: the sample and what is drawn on it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from clipsearch.models.crop import CenterCrop
from clipsearch.store import Collection
from clipsearch.textness import (
    Textness,
    self_supervised,
)
from clipsearch.textness.fit import MIN_IMAGES
from clipsearch.textness.self_supervised import embed_sample
from clipsearch.textness.synthetic_text import TextRenderer
from clipsearch.types import Pixels
from tests.helpers.text_encoder import IMAGES_PER_CLASS, EdgeEncoder


def test_a_fit_with_synthetic_images_warns(
    fresh: Collection, edge_encoder: EdgeEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    images = fresh.count()
    self_supervised.fit_collection(edge_encoder, fresh, per_class=images)
    assert f"only {images} images of the collection could be read" in caplog.text


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_sample_can_be_fitted_for_any_seed(
    fresh: Collection, edge_encoder: EdgeEncoder, seed: int
) -> None:
    probe = self_supervised.fit_collection(
        edge_encoder, fresh, per_class=MIN_IMAGES, seed=seed
    ).probe
    assert probe.with_text == probe.without_text == MIN_IMAGES


def test_images_with_text_of_their_own_do_not_distort_the_fit(
    fresh: Collection, edge_encoder: EdgeEncoder
) -> None:
    probe = Textness(fresh, lambda: edge_encoder).probe()
    assert probe.without_text <= IMAGES_PER_CLASS - 5  # a fifth of the collection shows text
    assert probe.bias[3] / np.linalg.norm(probe.bias) > 0.8
    assert probe.accuracy > 0.8


def test_missing_files_are_replaced_by_synthetic_backgrounds(
    folder: Path, edge_encoder: EdgeEncoder, tmp_path: Path
) -> None:
    paths = [*sorted((folder / "without").iterdir())[:6], tmp_path / "gone.png"]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    found = embed_sample(edge_encoder, [*paths, tmp_path / "broken.png"], TextRenderer(fonts=()), 8)
    assert (len(found.with_text), len(found.without_text), found.synthetic) == (8, 8, 10)


@pytest.fixture
def given(edge_encoder: EdgeEncoder, monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The images that the encoder preprocesses."""
    found = []
    preprocess = edge_encoder.preprocess

    def noted(image: Image.Image) -> Pixels:
        found.append(image)
        return preprocess(image)

    monkeypatch.setattr(edge_encoder, "preprocess", noted)
    return found


@pytest.mark.parametrize(("side", "expected"), [(32, 160), (128, 183), (224, 320), (448, 640)])
def test_the_working_size_follows_the_input_size(
    edge_encoder: EdgeEncoder, given: list[Image.Image], side: int, expected: int
) -> None:
    edge_encoder.input_size = side
    embed_sample(edge_encoder, [], TextRenderer(fonts=()), 2)
    assert [image.width for image in given] == [expected] * 4


def test_text_is_drawn_inside_the_center_crop(
    edge_encoder: EdgeEncoder, given: list[Image.Image], tmp_path: Path
) -> None:
    edge_encoder.center_crop = CenterCrop(square=True)
    green = Image.new("RGB", (600, 300), "green")
    green.save(tmp_path / "wide.png")
    embed_sample(edge_encoder, [tmp_path / "wide.png"] * 20, TextRenderer(fonts=()), 10)
    for written, plain in zip(given[0::2], given[1::2], strict=True):
        assert plain.tobytes() == green.tobytes()
        left, _, right, _ = ImageChops.difference(written, green).getbbox() or (0, 0, 0, 0)
        assert 150 <= left < right <= 450
