"""ONNX exports in place of open_clip models: the hub, the default, collections of either."""

import logging
import shutil
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest

from clipsearch.errors import ModelError, ModelMismatchError
from clipsearch.index import Index
from clipsearch.models import equivalence, export_cache, hub, registry, runtime, unknown_model
from clipsearch.models.model_name import parse_model_name
from clipsearch.models.onnx import OnnxEncoder
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.hub import serving_folder
from tests.helpers.onnx_exports import export_of, save_onnx
from tests.models.test_without_torch import run

pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "ViT-B-32/laion2b_s34b_b79k"
REPO = "immich-app/ViT-B-32__laion2b-s34b-b79k"
CLIP = "ViT-B-32-256/datacomp_s34b_b86k"
CLIP_REPO = "yurijmikhalevich/rclip-models"
FP32 = Runtime("cpu", precision="fp32")
TORCH = Runtime("cpu", "torch", "fp32")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty caches, and no settings about the network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")  # not the user's own
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> ModuleSpec | None:
        return None if name in ("torch", "open_clip", "transformers") else find_spec(name)

    for module in (runtime, unknown_model):
        monkeypatch.setattr(module, "find_spec", installed)


@pytest.fixture(scope="module")
def clip_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in the layout of the published export of the default model."""
    root = tmp_path_factory.mktemp("clip")
    config = checkpoints.vit_b_32()
    config["vision_cfg"]["image_size"] = 256
    model = checkpoints.save_open_clip(root / "m", config, checkpoints.CLIP_PREPROCESSING)
    folder = root / "repo" / "ViT-B-32-256-datacomp_s34b_b86k"
    save_onnx(folder, model, flat=True, dynamic=True)
    return folder.parent


def as_open_clip(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the checkpoint in a folder be the published model NAME."""
    from clipsearch.models.open_clip import OpenClipEncoder

    def load(ref: object, options: Runtime) -> OpenClipEncoder:
        encoder = OpenClipEncoder(parse_model_name(f"local-dir:{folder}"), options)
        object.__setattr__(encoder.identity, "name", NAME)
        return encoder

    monkeypatch.setattr(registry, "_on_torch", load)


def test_the_hubs_export_is_downloaded_once(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = export_of(tmp_path)
    (folder / "visual" / "model.armnn").write_bytes(b"for another runtime")
    with serving_folder(REPO, folder) as (address, requests):
        monkeypatch.setenv("HF_ENDPOINT", address)
        encoder = registry.load(f"onnx:{REPO}", FP32)
        assert encoder.identity.name == NAME
        assert not [request for request in requests if "armnn" in request]
        count = len(requests)
        assert registry.load(NAME, FP32).identity == encoder.identity
        assert len(requests) == count
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.rmtree(export_cache.folder())
    assert registry.load(f"onnx:{REPO}", FP32).identity == encoder.identity


def test_an_export_that_the_hub_does_not_offer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=f"{REPO}.*does not offer it or does not answer"):
        registry.load(f"onnx:{REPO}", FP32)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE forbids"):
        registry.load(f"onnx:{REPO}", FP32)


def test_without_torch_a_name_of_open_clip_finds_its_export(
    without_torch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"needs PyTorch .* or its ONNX export: .* answer"):
        registry.load(NAME, FP32)
    _, folder = export_of(tmp_path)
    with serving_folder(REPO, folder) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert registry.load(NAME, FP32).identity.name == NAME


def test_without_torch_a_folder_that_was_used_is_found_by_the_name_of_open_clip(
    without_torch: None, tmp_path: Path
) -> None:
    _, folder = export_of(tmp_path)
    encoder = registry.load(f"onnx:{folder}", FP32)
    assert registry.load(NAME, FP32).identity == encoder.identity


def test_without_torch_the_default_is_the_export_of_clip(
    without_torch: None, clip_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = next(spec for spec in registry.MODELS if spec.alias == "clip")
    assert not registry.is_local(clip)
    with serving_folder(CLIP_REPO, clip_repo) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        name, reason = registry.choose_default()
        assert name == "clip"
        assert reason.startswith(f"{address} offers its weights")
    assert registry.choose_default() == ("clip", "its weights are on this machine")
    assert registry.is_local(clip)
    assert registry.load("auto", FP32).identity.name == CLIP


def test_without_torch_the_default_is_pocket_if_anything_fails(
    without_torch: None, clip_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.choose_default()[0] == "pocket"  # no connection
    broken = Path(shutil.copytree(clip_repo, tmp_path / "broken"))
    next(broken.glob("*/textual.onnx")).write_bytes(b"no graph")
    with serving_folder(CLIP_REPO, broken) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        name, reason = registry.choose_default()
        assert name == "pocket"
        assert "textual.onnx cannot be read" in reason
        next(broken.glob("*/textual.onnx")).unlink()
        shutil.rmtree(hub.cache_folder())
        name, reason = registry.choose_default()
        assert name == "pocket"
        assert "textual.onnx" in reason


def test_with_torch_the_default_is_what_it_was(clip_repo: Path, home: Path) -> None:
    assert registry.choose_default()[0] == "pocket"
    assert "does not answer" in registry.choose_default()[1]


def test_a_collection_of_an_export_opens_without_torch(image_folder: Path, tmp_path: Path) -> None:
    _, folder = export_of(tmp_path)
    code = """
import sys
from clipsearch import Index
hidden = {"torch", "open_clip", "transformers", "onnx"}
for name in hidden:
    sys.modules[name] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)
with Index.open(sys.argv[1], model=sys.argv[2]) as index:
    index.ingest(sys.argv[3])
with Index.open(sys.argv[1]) as index:
    print(len(index.search("a dog")), index.encoder.identity.name)
with Index.open(sys.argv[1], model=sys.argv[2]) as index:
    print(index.encoder.identity.weights)
"""
    done = run(code, tmp_path / "a.db", f"onnx:{folder}", image_folder)
    assert done.stdout.splitlines()[:1] == [f"3 {NAME}"], done.stderr


def test_a_collection_serves_the_model_and_its_export(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, folder = export_of(tmp_path)
    with Index.open(tmp_path / "a.db", model=f"onnx:{folder}", device="cpu") as index:
        index.ingest(image_folder)
        expected = [hit.path for hit in index.search("a dog")]
    as_open_clip(monkeypatch, model)
    with Index.open(tmp_path / "a.db", model=NAME, device="cpu", runtime="torch") as index:
        assert [hit.path for hit in index.search("a dog")] == expected
        made_by = index.encoder.identity
    # The comparison is done once.
    monkeypatch.setattr(equivalence, "embed_test_inputs", lambda _: pytest.fail("again"))
    with Index.open(tmp_path / "a.db", model=NAME, device="cpu", runtime="torch") as index:
        index.search("a dog")
    # The other way round: the export opens a collection of the model.
    with Index.open(tmp_path / "b.db", model=NAME, device="cpu", runtime="torch") as index:
        index.ingest(image_folder)
    with Index.open(tmp_path / "b.db", device="cpu") as index:
        assert [hit.path for hit in index.search("a dog")] == expected
        assert index.encoder.identity.weights != made_by.weights


def test_rounding_to_8_bits_is_no_other_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, folder = export_of(tmp_path)
    made_by = registry.load(f"local-dir:{model}", FP32).identity
    object.__setattr__(made_by, "name", NAME)
    encoder = registry.load(f"onnx:{folder}", Runtime("cpu", precision="int8"))
    monkeypatch.setattr(encoder, "encode_images", lambda _: pytest.fail("compared in 8 bits"))
    assert equivalence.difference(encoder, made_by) == ""


def test_an_export_of_other_weights_is_refused(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = export_of(tmp_path)
    with Index.open(tmp_path / "a.db", model=f"onnx:{folder}", device="cpu") as index:
        index.ingest(image_folder)
    other = checkpoints.save_open_clip(
        tmp_path / "other", checkpoints.vit_b_32(), checkpoints.CLIP_PREPROCESSING, seed=1
    )
    as_open_clip(monkeypatch, other)
    with (
        Index.open(tmp_path / "a.db", device="cpu", runtime="torch") as index,
        pytest.raises(ModelMismatchError, match=r"whose vectors differ .*\(cosine -?0\.\d+\)"),
    ):
        index.search("a dog")


def test_the_named_export_opens_a_collection_after_another_was_used(
    image_folder: Path, tmp_path: Path
) -> None:
    _, folder = export_of(tmp_path)
    with Index.open(tmp_path / "a.db", model=f"onnx:{folder}", device="cpu") as index:
        index.ingest(image_folder)
    config, preprocessing = checkpoints.vit_b_32(), checkpoints.CLIP_PREPROCESSING
    model = checkpoints.save_open_clip(tmp_path / "other", config, preprocessing, seed=1)
    other = save_onnx(tmp_path / "others" / folder.name, model)
    registry.load(f"onnx:{other}", FP32)
    with (
        Index.open(tmp_path / "a.db", device="cpu") as index,
        pytest.raises(ModelMismatchError, match="open it with --model and that ONNX export"),
    ):
        index.search("a dog")
    for model_name in (f"onnx:{folder}", None):
        with Index.open(tmp_path / "a.db", model=model_name, device="cpu") as index:
            assert index.search("a dog")


def test_one_alone_counts_as_equal_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, folder = export_of(tmp_path)
    encoder = OnnxEncoder(parse_model_name(f"onnx:{folder}"))
    made_by = encoder.identity
    elsewhere = type(made_by)(NAME, made_by.dim, "f" * 32, made_by.preprocessing)
    with caplog.at_level(logging.INFO, "clipsearch"):
        assert equivalence.difference(encoder, elsewhere) == ""
    assert "only one of them is here" in caplog.text
    for other in (
        type(made_by)("ViT-B-32/openai", made_by.dim, "f" * 32, made_by.preprocessing),
        type(made_by)(NAME, made_by.dim, "f" * 32, f"{made_by.preprocessing}, QuickGELU"),
        type(made_by)(NAME, 512, "f" * 32, made_by.preprocessing),
    ):
        assert "other weights or preprocessing" in equivalence.difference(encoder, other)
