"""open_clip models compared with the library itself, and errors about their files."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ModelError
from clipsearch.models.base import Encoder
from clipsearch.models.crop import CenterCrop
from clipsearch.models.open_clip_checkpoint import find_weights
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING, PROMPTS, SIGLIP_PREPROCESSING

pytestmark = pytest.mark.usefixtures("one_thread")

ARCHITECTURES: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any]]] = {
    "ViT-B-32": (checkpoints.vit_b_32, CLIP_PREPROCESSING),
    "RN50": (checkpoints.rn50, CLIP_PREPROCESSING),
    "SigLIP": (checkpoints.siglip, SIGLIP_PREPROCESSING),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, preprocessing = ARCHITECTURES[request.param]
    path = tmp_path_factory.mktemp("open_clip") / request.param
    return checkpoints.save_open_clip(path, config(), preprocessing)


@pytest.fixture(scope="module", params=["torch", "openvino"])
def encoder(folder: Path, request: pytest.FixtureRequest) -> Encoder:
    return load(
        f"local-dir:{folder}", Runtime(device="cpu", runtime=request.param, precision="fp32")
    )


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("open_clip") / "vit"
    return checkpoints.save_open_clip(path, checkpoints.vit_b_32(), CLIP_PREPROCESSING)


class Reference:
    """What open_clip's README tells its users to write."""

    def __init__(self, name: str, **options: Any) -> None:
        import open_clip

        self.model, _, self.preprocess = open_clip.create_model_and_transforms(name, **options)
        self.tokenizer = open_clip.get_tokenizer(name)
        self.model.eval()

    def images(self, images: list[Image.Image]) -> Vectors:
        import torch

        with torch.no_grad():
            batch = torch.stack([self.preprocess(image) for image in images])
            rows: Vectors = self.model.encode_image(batch).numpy()
        return rows

    def texts(self, prompts: list[str]) -> Vectors:
        import torch

        with torch.no_grad():
            rows: Vectors = self.model.encode_text(self.tokenizer(prompts)).numpy()
        return rows


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(f"local-dir:{folder}")


def assert_same(ours: Vectors, theirs: Vectors) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    cosines = np.sum(normalize(ours) * normalize(theirs), axis=1)
    assert cosines.min() >= 0.9999
    # Random models put different inputs close together, so the numbers must agree as well.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * float(np.abs(theirs).max()))


def check_images(encoder: Encoder, reference: Reference, images: list[Image.Image]) -> None:
    expected = reference.images(images)
    pixels = [encoder.preprocess(image) for image in images]
    assert_same(encoder.encode_images(pixels), expected)
    assert_same(np.concatenate([encoder.encode_images([each]) for each in pixels]), expected)


def test_images_get_the_vectors_of_open_clips_own_pipeline(
    reference: Reference, encoder: Encoder
) -> None:
    image = checkpoints.synthetic_image()
    check_images(encoder, reference, [image, image.transpose(Image.Transpose.ROTATE_90)])
    np.testing.assert_array_equal(encoder.preprocess(image), reference.preprocess(image).numpy())


def test_real_images_get_the_vectors_of_open_clips_own_pipeline(
    reference: Reference, encoder: Encoder, shared_data: Path
) -> None:
    files = sorted((shared_data / "coco" / "images").glob("*.jpg"))[:3]
    images = [Image.open(file).convert("RGB") for file in files]
    check_images(encoder, reference, images)


def test_texts_get_the_vectors_of_open_clips_own_pipeline(
    reference: Reference, encoder: Encoder
) -> None:
    expected = reference.texts(list(PROMPTS))
    assert_same(encoder.encode_texts(PROMPTS), expected)
    assert_same(np.concatenate([encoder.encode_texts([text]) for text in PROMPTS]), expected)


def test_no_inputs_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode_images([]).shape == (0, encoder.identity.dim)
    assert encoder.encode_texts([]).shape == (0, encoder.identity.dim)


def test_preprocessing_runs_in_threads(encoder: Encoder) -> None:
    checkpoints.check_preprocessing_in_threads(encoder, (3, 224, 224))


def test_the_identity_tells_weights_and_preprocessing(folder: Path, encoder: Encoder) -> None:
    identity = encoder.identity
    content = (folder / "open_clip_model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(identity.weights)
    assert identity.name == f"local-dir:{folder}"
    assert identity.precision.startswith("float32")
    assert identity.dim == encoder.encode_texts(["x"]).shape[1]
    mean = (
        "mean (0.5, 0.5, 0.5)" if folder.name == "SigLIP" else "mean (0.481455, 0.457827, 0.408211)"
    )
    resize = "squashed" if folder.name == "SigLIP" else "shortest side, centre crop"
    assert identity.preprocessing.startswith(f"224x224 px, {resize}, bicubic, {mean}")
    assert encoder.center_crop == CenterCrop(square=resize == "shortest side, centre crop")
    assert identity.preprocessing.endswith("QuickGELU") == (folder.name == "RN50")


def test_two_models_differ_in_identity(vit: Path, tmp_path: Path) -> None:
    other = checkpoints.save_open_clip(
        tmp_path / "other", checkpoints.vit_b_32(), CLIP_PREPROCESSING, seed=1
    )
    same = tmp_path / "same"
    same.symlink_to(vit)
    first, second, third = (
        load(f"local-dir:{folder}", Runtime(runtime="torch")).identity
        for folder in (vit, same, other)
    )
    assert first.is_comparable(second)
    assert not first.is_comparable(third)


@pytest.fixture
def openai_in_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A hub cache that holds ViT-B-32/openai, shrunk, as the hub's library lays it out."""
    import open_clip.factory

    config = checkpoints.vit_b_32()
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    repo = tmp_path / "hub" / "models--timm--vit_base_patch32_clip_224.openai"
    for part in ("blobs", "refs", "snapshots/c0ffee"):
        (repo / part).mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    checkpoints.save_weights(repo / "weights", config)
    name = hashlib.sha256((repo / "weights").read_bytes()).hexdigest()
    (repo / "weights").rename(repo / "blobs" / name)
    (repo / "snapshots" / "c0ffee" / "open_clip_model.safetensors").symlink_to(
        repo / "blobs" / name
    )
    return name


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_openai_weights_get_the_activation_of_their_training(
    runtime: str, openai_in_cache: str, tmp_path: Path
) -> None:
    encoder = load("ViT-B-32/openai", Runtime(runtime=runtime, precision="fp32"))
    hub = str(tmp_path / "hub")
    right = Reference("ViT-B-32", pretrained="openai", force_quick_gelu=True, cache_dir=hub)
    assert_same(encoder.encode_texts(PROMPTS), right.texts(list(PROMPTS)))
    check_images(encoder, right, [checkpoints.synthetic_image()])
    with pytest.warns(UserWarning, match="QuickGELU mismatch"):
        wrong = Reference("ViT-B-32", pretrained="openai", cache_dir=hub)
    assert not np.allclose(encoder.encode_texts(PROMPTS), wrong.texts(list(PROMPTS)), atol=1e-3)
    assert encoder.identity.preprocessing.endswith("QuickGELU")
    assert openai_in_cache.startswith(encoder.identity.weights)
    again = load("ViT-B-32__openai", Runtime(runtime=runtime, precision="fp32"))
    assert again.identity == encoder.identity


def test_missing_weights_offline_say_what_to_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("clip", "hf-hub:some/model"):
        with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE.*HF_HOME.*--model pocket"):
            load(name, Runtime(device="cpu"))


def test_the_error_for_an_unknown_tag_names_the_nearest_one() -> None:
    with pytest.raises(ModelError, match=r"did you mean ViT-B-32/laion2b_s34b_b79k"):
        load("ViT-B-32/laion2b_s34b_b97k")
    with pytest.raises(ModelError, match=r"there are RN101/openai, RN101/yfcc15m; "):
        load("RN101/webli")
    with pytest.raises(ModelError, match=r"no weights of ViT-S-32 are published"):
        load("ViT-S-32/openai")


def test_an_unknown_device_is_an_error(vit: Path) -> None:
    with pytest.raises(ModelError, match=r"'cuda:99'.*use auto or cpu"):
        load(f"local-dir:{vit}", Runtime("cuda:99"))


def _edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _other_weights(folder: Path) -> None:
    checkpoints.save_weights(folder / "open_clip_model.safetensors", checkpoints.rn50())


def _truncate_weights(folder: Path) -> None:
    path = folder / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:1_000_000])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "open_clip_config.json").unlink(), "has no open_clip_config.json"),
    "no JSON": (
        lambda f: (f / "open_clip_config.json").write_text("{"),
        "is not a config of open_clip",
    ),
    "a list": (
        lambda f: (f / "open_clip_config.json").write_text("[]"),
        "is not a config of open_clip",
    ),
    "no architecture": (lambda f: _edit_config(f, model_cfg={}), "is not a config of open_clip"),
    "unknown option": (
        lambda f: _edit_config(f, model_cfg=checkpoints.vit_b_32() | {"colour": 1}),
        "cannot be loaded",
    ),
    "no preprocessing": (lambda f: _edit_config(f, preprocess_cfg=None), "add mean and std"),
    "no weights": (lambda f: (f / "open_clip_model.safetensors").unlink(), "has no weights"),
    "no tensors": (
        lambda f: (f / "open_clip_model.safetensors").write_bytes(b"?"),
        "cannot be loaded",
    ),
    "truncated weights": (_truncate_weights, "cannot be loaded"),
    "another architecture": (_other_weights, "of the architecture in open_clip_config.json"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_folder_is_one_clear_line(fault: str, tmp_path: Path) -> None:
    folder = checkpoints.save_open_clip(
        tmp_path / "model", checkpoints.vit_b_32(), CLIP_PREPROCESSING
    )
    damage, message = BROKEN[fault]
    damage(folder)
    with pytest.raises(ModelError) as caught:
        load(f"local-dir:{folder}", Runtime(device="cpu"))
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_missing_and_an_empty_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        load(f"local-dir:{tmp_path / 'nowhere'}")
    with pytest.raises(ModelError, match=r"has no open_clip_config\.json"):
        load(f"local-dir:{tmp_path}")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_loading_prints_nothing_and_restores_logging(
    runtime: str, vit: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load(f"local-dir:{vit}", Runtime(runtime=runtime))  # a conversion says what it does
    capfd.readouterr()
    handlers, disabled = list(logging.root.handlers), logging.root.manager.disable
    load(f"local-dir:{vit}", Runtime(runtime=runtime)).encode_texts(["quiet"])
    assert capfd.readouterr() == ("", "")
    assert logging.root.handlers == handlers
    assert logging.root.manager.disable == disabled


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["a.txt"],
        ["model.pth", "pytorch_model.bin"],
        ["b.safetensors", "a.safetensors", "a.bin"],
        ["a.bin", "z.safetensors"],
        ["model.safetensors", "open_clip_pytorch_model.bin", "a.safetensors"],
        ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"],
        ["open_clip_pytorch_model.pth", "pytorch_model.pth", "c.safetensors"],
    ],
)
def test_the_weights_in_a_folder_are_those_that_open_clip_loads(
    names: list[str], tmp_path: Path
) -> None:
    from open_clip import factory

    for name in names:
        (tmp_path / name).touch()
    open_clips_own = getattr(factory, "_find_checkpoint_in_dir", None)
    assert open_clips_own, (
        "open_clip.factory._find_checkpoint_in_dir is gone. Look in open_clip.factory for the code "
        "that finds the weights of local-dir:, compare it with open_clip_checkpoint.find_weights, "
        "and call the new function here."
    )
    expected = open_clips_own(tmp_path)
    assert find_weights(tmp_path) == (Path(expected) if expected else None), (
        "open_clip now prefers another file: change open_clip_checkpoint.find_weights to agree"
    )
