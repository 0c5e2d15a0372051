"""ONNX exports: vectors equal to open_clip's, names, and errors."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import ModelError
from clipsearch.models import export_cache, registry
from clipsearch.models.export_check import PROMPTS, embed_test_inputs, min_cosine
from clipsearch.models.model_name import ModelRef, parse_model_name
from clipsearch.models.onnx import OnnxEncoder
from clipsearch.models.onnx_names import EXPORTS, open_clip_name
from clipsearch.models.openvino_encoder import OpenVinoEncoder
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.onnx_exports import export_of, save_onnx

pytestmark = pytest.mark.usefixtures("one_thread")

FP32 = Runtime("cpu", precision="fp32")
TORCH = Runtime("cpu", "torch", "fp32")

CLIP = checkpoints.CLIP_PREPROCESSING
LONGEST = CLIP | {"resize_mode": "longest", "fill_color": 127}
KINDS: Mapping[str, tuple[Any, Any, Any]] = {
    "CLIP": (checkpoints.vit_b_32, CLIP, {}),
    "dynamic": (checkpoints.vit_b_32, CLIP, {"dynamic": True}),
    "bytes": (checkpoints.vit_b_32, LONGEST, {"dynamic": True, "takes_bytes": True}),
    "external": (checkpoints.vit_b_32, CLIP, {"external": True}),
    "RN50": (checkpoints.rn50, CLIP, {}),
    "SigLIP": (checkpoints.siglip, checkpoints.SIGLIP_PREPROCESSING, {}),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache of these tests, which remembers exports under the names of published models."""
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "onnx-cache"))


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_equal_those_of_open_clip(kind: str, tmp_path: Path) -> None:
    config, preprocessing, options = KINDS[kind]
    if kind == "CLIP":
        checkpoint, folder = export_of(tmp_path)
    else:
        checkpoint = checkpoints.save_open_clip(tmp_path / "model", config(), preprocessing)
        folder = save_onnx(tmp_path / "ViT-B-32__laion2b-s34b-b79k", checkpoint, **options)
    expected = registry.load(f"local-dir:{checkpoint}", TORCH)
    encoder = registry.load(f"onnx:{folder}", FP32)
    assert isinstance(encoder, OpenVinoEncoder)
    assert min_cosine(embed_test_inputs(encoder), embed_test_inputs(expected)) > 0.99999
    assert encoder.identity.preprocessing == expected.identity.preprocessing
    assert encoder.identity.dim == expected.identity.dim
    assert encoder.identity.name == "ViT-B-32/laion2b_s34b_b79k"
    assert encoder.input_size == expected.input_size
    assert encoder.center_crop == expected.center_crop
    # One image or text gives the vector that it gives in a batch.
    pixels = [encoder.preprocess(checkpoints.synthetic_image().rotate(d)) for d in (0, 90, 180)]
    together = encoder.encode_images(pixels)
    alone = np.concatenate([encoder.encode_images([image]) for image in pixels])
    assert min_cosine(together, alone) > 0.999999
    one = np.concatenate([encoder.encode_texts([text]) for text in PROMPTS])
    assert min_cosine(encoder.encode_texts(PROMPTS), one) > 0.999999
    assert takes_short_texts(folder) is (kind != "SigLIP")
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape


def takes_short_texts(folder: Path) -> bool:
    """Whether a converted export runs texts at their own length."""
    record = export_cache.load_record(f"onnx:{folder}")
    manifest = export_cache.manifest(record.key) if record else None
    assert manifest
    return bool(manifest["own_length"])


def test_a_second_opening_reads_no_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = export_of(tmp_path)
    first = registry.load(f"onnx:{folder}", FP32).encode_texts(["a dog"])
    monkeypatch.setattr(OnnxEncoder, "__init__", lambda *_: pytest.fail("read again"))
    encoder = registry.load(f"onnx:{folder}", FP32)
    assert np.array_equal(encoder.encode_texts(["a dog"]), first)


def test_an_export_also_runs_with_8_bit_weights(tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    encoder = registry.load(f"onnx:{folder}", Runtime("cpu", precision="int8"))
    assert "int8" in encoder.identity.precision


@pytest.mark.parametrize("runtime", [TORCH, Runtime("cuda")])
def test_an_export_does_not_run_on_torch(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="runs on OpenVINO only"):
        registry.load(f"onnx:{tmp_path}", runtime)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("visual/model.onnx", "has neither visual/model.onnx and textual/model.onnx nor"),
        ("textual/tokenizer.json", "has no textual/tokenizer.json"),
        ("visual/preprocess_cfg.json", "preprocess_cfg.json is missing"),
        ("textual/tokenizer_config.json", ""),
    ],
)
def test_a_missing_file_is_named(damage: str, message: str, tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    (folder / damage).unlink()
    if message:
        with pytest.raises(ModelError, match=message):
            registry.load(f"onnx:{folder}", FP32)
    else:  # CLIP's padding is known
        registry.load(f"onnx:{folder}", FP32)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("visual/model.onnx", "no graph", "model.onnx cannot be read"),
        ("textual/model.onnx", "", "model.onnx is not a tower of CLIP"),
        ("config.json", "{", "config.json is damaged"),
        ("visual/preprocess_cfg.json", "[]", "preprocess_cfg.json is damaged"),
        ("visual/preprocess_cfg.json", '{"size": 224}', "does not state mean and std"),
        ("textual/tokenizer.json", "{}", "tokenizer.json is damaged"),
        ("textual/tokenizer.json", "{", "tokenizer.json is damaged"),
    ],
)
def test_a_damaged_file_is_named(file: str, content: str, message: str, tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        registry.load(f"onnx:{folder}", FP32)
    assert "\n" not in str(caught.value)


def test_swapped_towers_are_an_error(tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    shutil.copy(folder / "textual" / "model.onnx", folder / "visual" / "model.onnx")
    with pytest.raises(ModelError, match="not a tower of CLIP: it does not take images"):
        registry.load(f"onnx:{folder}", FP32)


def test_missing_external_weights_are_an_error(tmp_path: Path) -> None:
    config = checkpoints.vit_b_32()
    checkpoint = checkpoints.save_open_clip(tmp_path / "model", config, CLIP)
    folder = save_onnx(tmp_path / "export", checkpoint, external=True)
    assert (folder / "visual" / "model.onnx.data").stat().st_size > 100_000
    (folder / "visual" / "model.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"visual/model\.onnx cannot be read"):
        registry.load(f"onnx:{folder}", FP32)


def test_towers_of_two_models_are_an_error(tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    config = checkpoints.vit_b_32(embed_dim=32)
    checkpoint = checkpoints.save_open_clip(tmp_path / "narrow", config, CLIP)
    narrow = save_onnx(tmp_path / "narrow-onnx", checkpoint)
    shutil.copy(narrow / "textual" / "model.onnx", folder / "textual")
    with pytest.raises(ModelError, match="its images have 64 dimensions, and its texts 32"):
        registry.load(f"onnx:{folder}", FP32)


def test_a_folder_of_another_name_keeps_its_own(tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    moved = folder.rename(tmp_path / "holidays")
    encoder = registry.load(f"onnx:{moved}", FP32)
    assert encoder.identity.name == f"onnx:{moved}"


def test_clip_preprocessing_of_a_published_flat_export_is_known(tmp_path: Path) -> None:
    config = checkpoints.vit_b_32()
    config["vision_cfg"]["image_size"] = 256
    checkpoint = checkpoints.save_open_clip(tmp_path / "model", config, CLIP)
    folder = tmp_path / "rclip-models" / "ViT-B-32-256-datacomp_s34b_b86k"
    save_onnx(folder, checkpoint, flat=True, dynamic=True)
    encoder = registry.load(f"onnx:{folder}", FP32)
    expected = registry.load(f"local-dir:{checkpoint}", TORCH)
    assert encoder.identity.name == "ViT-B-32-256/datacomp_s34b_b86k"
    assert encoder.identity.preprocessing == expected.identity.preprocessing
    assert min_cosine(embed_test_inputs(encoder), embed_test_inputs(expected)) > 0.99999
    other = folder.rename(folder.with_name("unknown"))
    with pytest.raises(ModelError, match="it says how images are resized"):
        registry.load(f"onnx:{other}", FP32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "onnx:immich-app/ViT-B-32__laion2b-s34b-b79k",
            ModelRef(
                "onnx:immich-app/ViT-B-32__laion2b-s34b-b79k",
                "onnx",
                repo="immich-app/ViT-B-32__laion2b-s34b-b79k",
                open_clip_name="ViT-B-32/laion2b_s34b_b79k",
            ),
        ),
        (
            "onnx:org/models/ViT-B-16-openai/",
            ModelRef(
                "onnx:org/models/ViT-B-16-openai",
                "onnx",
                repo="org/models",
                subfolder="ViT-B-16-openai",
                open_clip_name="ViT-B-16/openai",
            ),
        ),
        ("onnx:org/mine", ModelRef("onnx:org/mine", "onnx", repo="org/mine")),
    ],
)
def test_names_of_exports(name: str, expected: ModelRef) -> None:
    assert parse_model_name(name) == expected
    assert parse_model_name(expected.name) == expected


def test_folders_of_exports_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "ViT-B-32__openai").mkdir(parents=True)
    ref = parse_model_name("onnx:a/ViT-B-32__openai")
    assert (ref.folder, ref.open_clip_name) == (tmp_path / "a/ViT-B-32__openai", "ViT-B-32/openai")
    assert parse_model_name("onnx:./new").folder == tmp_path / "new"
    for name, message in (("onnx:", "names no folder"), ("onnx:name", "neither a hub repository")):
        with pytest.raises(ModelError, match=message):
            parse_model_name(name)


def test_every_export_stands_for_a_model_of_open_clip() -> None:
    import open_clip

    published = {f"{arch}/{tag}" for arch, tag in open_clip.list_pretrained()}
    assert EXPORTS.keys() <= published
    for name, export in EXPORTS.items():
        assert parse_model_name(export).open_clip_name == name
        assert parse_model_name(name).name == name
    for name in published:
        assert open_clip_name(name.replace("/", "__")) == name
    for name in ("LABSE-Vit-L-14", "my-clip", "ViT-B-32__finetuned", "cats__openai", ""):
        assert open_clip_name(name) == ""
