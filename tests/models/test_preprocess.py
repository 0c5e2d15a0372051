"""Preprocessing by Pillow and numpy equals the transforms of the libraries in all digits."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.models.preprocess import Preprocessing
from tests.helpers.checkpoints import CLIP_PREPROCESSING

SIDES = st.integers(1, 90)


def noise(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


@settings(max_examples=300)
@given(
    width=SIDES,
    height=SIDES,
    size=st.sampled_from([32, 33, (32, 32), (24, 40), (41, 17)]),
    mode=st.sampled_from(["shortest", "longest", "squash"]),
    interpolation=st.sampled_from(["bicubic", "bilinear", "random"]),
    fill=st.sampled_from([0, 255]),
)
def test_open_clips_transforms(
    width: int, height: int, size: Any, mode: str, interpolation: str, fill: int
) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = PreprocessCfg(
        size=size,
        mean=(0.48, 0.45, 0.41),
        std=(0.26, 0.27, 0.28),
        resize_mode=mode,
        interpolation=interpolation,
        fill_color=fill,
    )
    image = noise(width, height)
    try:
        expected = image_transform_v2(config, is_train=False)(image).numpy()
    except ValueError:  # so flat that the library resizes it to nothing
        with pytest.raises(ValueError, match="> 0"):
            Preprocessing.from_open_clip(dataclasses.asdict(config))(image)
        return
    found = Preprocessing.from_open_clip(dataclasses.asdict(config))(image)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=100)
@given(
    width=SIDES,
    height=SIDES,
    crop=st.sampled_from([None, 32, 33, 48]),
    offset=st.booleans(),
    normalize=st.booleans(),
    top=st.booleans(),
)
def test_aligns_image_processor(
    width: int, height: int, crop: int | None, offset: bool, normalize: bool, top: bool
) -> None:
    from transformers import EfficientNetImageProcessor

    processor = EfficientNetImageProcessor(
        size={"height": 40, "width": 44},
        crop_size={"height": crop or 1, "width": crop or 1},
        resample=2,
        do_center_crop=crop is not None,
        rescale_factor=1 / 127.5 if offset else 1 / 255,
        rescale_offset=offset,
        do_normalize=normalize,
        include_top=top,
    )
    image = noise(width, height)
    expected = processor(images=image, return_tensors="np")["pixel_values"][0]
    ours = Preprocessing.from_efficientnet(processor.to_dict())
    found = ours(image)
    levels = np.asarray(ours.levels)
    # torchvision's resizing, which transformers now prefers to Pillow's, is at times a level off.
    step = np.abs(np.diff(levels, axis=1)).max()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= step * 1.01


def test_preprocessing_is_the_same_after_json() -> None:
    config = {
        **CLIP_PREPROCESSING,
        "size": 48,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    before = Preprocessing.from_open_clip(config)
    after = Preprocessing.from_json(json.loads(json.dumps(dataclasses.asdict(before))))
    np.testing.assert_array_equal(before(noise(70, 50)), after(noise(70, 50)))


def test_other_modes_become_rgb() -> None:
    config = {**CLIP_PREPROCESSING, "size": 8, "interpolation": "bicubic", "resize_mode": "squash"}
    gray = Image.new("L", (8, 8), 77)
    preprocess = Preprocessing.from_open_clip(config)
    np.testing.assert_array_equal(preprocess(gray), preprocess(gray.convert("RGB")))
