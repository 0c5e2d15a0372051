"""Every kind of model gives the same vectors on OpenVINO and on torch, in every precision."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import ModelError
from clipsearch.models.base import Encoder
from clipsearch.models.openvino_runtime import has_bf16
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING, PROMPTS, SIGLIP_PREPROCESSING

pytestmark = pytest.mark.usefixtures("one_thread")

MODELS: dict[str, tuple[Callable[[Path], dict[str, Any]], dict[str, Any]]] = {
    "ViT-B-32": (lambda _: checkpoints.vit_b_32(), CLIP_PREPROCESSING),
    "RN50": (lambda _: checkpoints.rn50(), CLIP_PREPROCESSING),
    "SigLIP": (lambda _: checkpoints.siglip(), SIGLIP_PREPROCESSING),
    "MobileCLIP": (lambda _: checkpoints.mobile_clip(), SIGLIP_PREPROCESSING),
    "CoCa": (lambda _: checkpoints.coca(), CLIP_PREPROCESSING),
    "XLM-RoBERTa": (checkpoints.xlm_roberta, CLIP_PREPROCESSING),
}

Loader = Callable[..., Encoder]


@pytest.fixture(scope="module", params=[*MODELS, "ALIGN"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loader:
    """Loads one of the models on a runtime, in a precision; each once."""
    root = tmp_path_factory.mktemp("models")
    folder = root / request.param
    if request.param == "ALIGN":
        name = f"align:{checkpoints.save_align(folder)}"
    else:
        config, preprocessing = MODELS[request.param]
        checkpoints.save_open_clip(folder, config(root), preprocessing)
        name = f"local-dir:{folder}"
    encoders: dict[tuple[str, str], Encoder] = {}

    def loader(runtime: str, precision: str = "fp32") -> Encoder:
        key = runtime, precision
        encoders[key] = encoders.get(key) or load(
            name, Runtime(runtime=runtime, precision=precision)
        )
        return encoders[key]

    return loader


def rows(encoder: Encoder) -> tuple[Vectors, Vectors]:
    """(n, d) images and (m, d) texts, of length 1."""
    image = checkpoints.synthetic_image()
    images = [image, image.rotate(90, expand=True), image.resize((60, 200))]
    vectors = encoder.encode_images([encoder.preprocess(image) for image in images])
    return normalize(vectors), normalize(encoder.encode_texts(PROMPTS))


def smallest_cosine(left: tuple[Vectors, Vectors], right: tuple[Vectors, Vectors]) -> float:
    return min(float(np.sum(a * b, axis=1).min()) for a, b in zip(left, right, strict=True))


def test_float32_agrees_with_torch(loaded: Loader) -> None:
    ours, theirs = loaded("openvino"), loaded("torch")
    assert ours.identity.precision == "float32, by OpenVINO"
    (images, texts), (expected_images, expected_texts) = rows(ours), rows(theirs)
    np.testing.assert_allclose(texts, expected_texts, rtol=0, atol=1e-4)
    # ALIGN's resizing on torch is at times a level off from Pillow's.
    atol = 3e-3 if theirs.identity.name.startswith("align") else 1e-4
    np.testing.assert_allclose(images, expected_images, rtol=0, atol=atol)


def test_collections_and_scales_fit_both_runtimes(loaded: Loader) -> None:
    ours, theirs = loaded("openvino"), loaded("torch")
    assert ours.identity.is_comparable(theirs.identity)
    assert ours.identity.name == theirs.identity.name
    assert ours.logit_scale == pytest.approx(theirs.logit_scale)
    assert (ours.input_size, ours.center_crop) == (theirs.input_size, theirs.center_crop)


def test_bfloat16_stays_close(loaded: Loader) -> None:
    expected = rows(loaded("torch"))
    assert smallest_cosine(rows(loaded("torch", "bf16")), expected) >= 0.999
    if not has_bf16():
        pytest.skip("this processor has no bfloat16")
    ours = loaded("openvino", "bf16")
    assert ours.identity.precision == "bfloat16, by OpenVINO"
    assert smallest_cosine(rows(ours), expected) >= 0.999


def test_int8_stays_close_or_is_refused(loaded: Loader) -> None:
    try:
        ours = loaded("openvino", "int8")
    except ModelError as error:
        pytest.skip(str(error))  # some vectors of random weights have too similar neighbors
    assert ours.identity.precision.startswith("int8")
    assert smallest_cosine(rows(ours), rows(loaded("torch"))) >= 0.99


def test_a_text_alone_and_among_longer_ones_is_the_same(loaded: Loader) -> None:
    for runtime in ("torch", "openvino"):
        encoder = loaded(runtime)
        together = normalize(encoder.encode_texts(PROMPTS))
        alone = normalize(np.concatenate([encoder.encode_texts([text]) for text in PROMPTS]))
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def test_no_inputs_give_no_rows(loaded: Loader) -> None:
    encoder = loaded("openvino")
    assert encoder.encode_images([]).shape == (0, encoder.identity.dim)
    assert encoder.encode_texts([]).shape == (0, encoder.identity.dim)


@pytest.fixture(autouse=True)
def nothing_falls_back(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO, logger="clipsearch")
    yield
    assert "runs on torch" not in caplog.text
