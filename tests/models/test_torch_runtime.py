"""The torch runtime: images in bytes as a GPU gets them, and texts in groups of equal length."""

import numpy as np
import pytest
import torch
from PIL import Image

from clipsearch.models.export_check import synthetic_images
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.models.torch_runtime import ImageInput, TorchRuntime
from tests.helpers.checkpoints import CLIP_PREPROCESSING

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
]


@pytest.fixture(params=DEVICES)
def runtime(request: pytest.FixtureRequest) -> TorchRuntime:
    return TorchRuntime(Runtime(device=request.param, runtime="torch", precision="fp32"))


@pytest.fixture
def preprocessing() -> Preprocessing:
    config = {"size": 224, "resize_mode": "shortest", "interpolation": "bicubic"}
    return Preprocessing.from_open_clip({**config, **CLIP_PREPROCESSING})


def test_bytes_become_the_same_pixels_on_the_device(
    runtime: TorchRuntime, preprocessing: Preprocessing
) -> None:
    images = ImageInput(preprocessing, runtime)
    expected = np.stack([preprocessing(image) for image in synthetic_images()])
    in_bytes = [preprocessing.to_bytes(image) for image in synthetic_images()]
    own = [images.preprocess(image) for image in synthetic_images()]
    assert in_bytes[0].shape == (224, 224, 3)
    for pixels in (in_bytes, list(expected), own):
        np.testing.assert_array_equal(images.upload(pixels).cpu().numpy(), expected)


def test_a_gpu_gets_bytes_and_other_devices_get_numbers(
    runtime: TorchRuntime, preprocessing: Preprocessing
) -> None:
    pixels = ImageInput(preprocessing, runtime).preprocess(synthetic_images()[0])
    assert pixels.dtype == (np.uint8 if runtime.device.type == "cuda" else np.float32)


def test_texts_keep_their_order(runtime: TorchRuntime) -> None:
    lengths = [5, 1, 9, 5, 2]
    ids = torch.zeros((5, 12), dtype=torch.int64)
    for row, length in enumerate(lengths):
        ids[row, :length] = row + 1
    seen = []

    def embed(group: torch.Tensor) -> torch.Tensor:
        seen.append(group.shape[1])
        return torch.stack([group[:, 0], (group != 0).sum(dim=1)], dim=1)

    vectors = runtime.infer_texts(embed, ids, padding=0)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [[row + 1, n] for row, n in enumerate(lengths)])
    assert max(seen) < 12


def test_bytes_for_a_gpu_do_not_hold_the_rest_of_the_image(
    monkeypatch: pytest.MonkeyPatch, preprocessing: Preprocessing
) -> None:
    runtime = TorchRuntime(Runtime(device="cpu", runtime="torch"))
    images = ImageInput(preprocessing, runtime)
    monkeypatch.setattr(runtime, "device", torch.device("cuda"))
    pixels = images.preprocess(Image.new("RGB", (300, 3000)))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert pixels.base is None
