"""ALIGN compared with AlignModel.forward, and errors about its files."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ModelError
from clipsearch.models.base import Encoder
from clipsearch.models.crop import CenterCrop
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers import checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = checkpoints.PROMPTS[:-1]  # the last one is longer than the model takes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save_align(tmp_path_factory.mktemp("align") / "model")


@pytest.fixture(scope="module", params=["torch", "openvino"])
def encoder(folder: Path, request: pytest.FixtureRequest) -> Encoder:
    return load(f"align:{folder}", Runtime(device="cpu", runtime=request.param, precision="fp32"))


def reference(
    folder: Path, images: list[Image.Image], prompts: list[str]
) -> tuple[Vectors, Vectors]:
    """(n, d) images and (m, d) texts, of length 1, as `AlignModel.forward` compares them."""
    import torch
    from transformers import AlignModel, AlignProcessor

    processor = AlignProcessor.from_pretrained(folder)
    inputs = processor(images=images, text=prompts, return_tensors="pt")
    assert inputs["input_ids"].shape[1] == 64
    with torch.no_grad():
        output = AlignModel.from_pretrained(folder).eval()(**inputs)
    return output.image_embeds.numpy(), output.text_embeds.numpy()


def assert_same(ours: Vectors, theirs: Vectors, *, atol: float = 1e-4) -> None:
    assert ours.dtype == np.float32
    assert np.sum(normalize(ours) * theirs, axis=1).min() >= 0.9999
    np.testing.assert_allclose(normalize(ours), theirs, rtol=0, atol=atol)


def check(folder: Path, encoder: Encoder, images: list[Image.Image]) -> None:
    image_rows, text_rows = reference(folder, images, list(PROMPTS))
    pixels = [encoder.preprocess(image) for image in images]
    # Pillow's resizing, which ALIGN was trained with, may be a level off from torchvision's, which
    # transformers prefers now.
    atol = 1e-3 if "OpenVINO" in encoder.identity.precision else 1e-4
    assert_same(encoder.encode_images(pixels), image_rows, atol=atol)
    one_by_one = np.concatenate([encoder.encode_images([each]) for each in pixels])
    assert_same(one_by_one, image_rows, atol=atol)
    assert_same(encoder.encode_texts(PROMPTS), text_rows)
    assert_same(np.concatenate([encoder.encode_texts([text]) for text in PROMPTS]), text_rows)


def test_vectors_are_those_that_the_model_compares(folder: Path, encoder: Encoder) -> None:
    image = checkpoints.synthetic_image()
    images = [image, image.transpose(Image.Transpose.ROTATE_90)]
    check(folder, encoder, images)
    image_rows, text_rows = reference(folder, images, list(PROMPTS))
    assert (image_rows @ image_rows.T).min() < 0.999  # the check distinguishes images
    assert (text_rows @ text_rows.T).min() < 0.999


def test_vectors_of_real_images_are_those_that_the_model_compares(
    folder: Path, encoder: Encoder, shared_data: Path
) -> None:
    files = sorted((shared_data / "coco" / "images").glob("*.jpg"))[:3]
    check(folder, encoder, [Image.open(file).convert("RGB") for file in files])


def test_a_text_is_cut_at_64_tokens(encoder: Encoder) -> None:
    # Of the 64, [CLS] and [SEP] take two.
    assert_same(
        encoder.encode_texts(["dog " * 500]), normalize(encoder.encode_texts(["dog " * 62]))
    )


def test_no_inputs_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode_images([]).shape == (0, 40)
    assert encoder.encode_texts([]).shape == (0, 40)


def test_a_frame_around_the_image_is_cut_off(encoder: Encoder) -> None:
    assert encoder.center_crop == CenterCrop(share=80 / 96)


def test_preprocessing_runs_in_threads(encoder: Encoder) -> None:
    checkpoints.check_preprocessing_in_threads(encoder, (3, 80, 80))


def test_the_identity_tells_weights_and_preprocessing(folder: Path, encoder: Encoder) -> None:
    identity = encoder.identity
    content = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(identity.weights)
    assert (identity.name, identity.dim) == (f"align:{folder}", 40)
    assert identity.preprocessing == (
        "resized to 96x96 px, bilinear, centre 80x80, x * 0.00784314 - 1"
    )


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _strip_tower(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = {name: each for name, each in load_file(path).items() if "vision" not in name}
    save_file(tensors, path, metadata={"format": "pt"})


def _drop_processor(folder: Path) -> None:
    for path in folder.glob("*processor_config.json"):  # transformers 4 named it differently
        path.unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
    "no ALIGN": (lambda f: _edit(f / "config.json", model_type="bert"), "is not an ALIGN model"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "cannot be loaded"),
    "no tensors": (lambda f: (f / "model.safetensors").write_bytes(b"?"), "cannot be loaded"),
    "half a model": (_strip_tower, "do not fit an ALIGN model"),
    "no processor": (_drop_processor, "cannot be loaded"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_folder_is_one_clear_line(fault: str, tmp_path: Path) -> None:
    folder = checkpoints.save_align(tmp_path / "model")
    damage, message = BROKEN[fault]
    damage(folder)
    with pytest.raises(ModelError) as caught:
        load(f"align:{folder}", Runtime(device="cpu"))
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_missing_weights_offline_say_what_to_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"kakaobrain/align-base.*HF_HUB_OFFLINE.*--model pocket"):
        load("align")
    with pytest.raises(ModelError, match="there is no folder"):
        load(f"align:{tmp_path / 'nowhere'}")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_loading_prints_nothing(
    runtime: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load(f"align:{folder}", Runtime(runtime=runtime)).encode_texts(["quiet"])
    assert capfd.readouterr() == ("", "")
