"""The choice of a runtime, and the conversion of a model: its cache, checks and imports."""

import logging
import os
import shlex
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.models import export, export_cache, runtime
from clipsearch.models.export_source import NotExportableError
from clipsearch.models.length_bucketing import RUN_COST, length_buckets
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING, PROMPTS

pytestmark = pytest.mark.usefixtures("one_thread")

HEAVY = {"torch", "torchvision", "transformers", "open_clip", "timm", "huggingface_hub"}


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="clipsearch")
    return caplog


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder with nothing in it."""
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime") / "vit"
    return checkpoints.save_open_clip(folder, tiny(), CLIP_PREPROCESSING)


def tiny() -> dict[str, Any]:
    """A ViT that converts in a moment, since it has few words."""
    config = checkpoints.vit_b_32(32)
    config["vision_cfg"] |= {"layers": 1, "width": 64, "image_size": 64}
    config["text_cfg"] |= {"layers": 1, "width": 64, "heads": 1}
    return config


@pytest.mark.parametrize(
    ("words", "graphics", "expected"),
    [
        (Runtime(), False, True),
        (Runtime(), True, False),
        (Runtime(device="cpu"), True, True),
        (Runtime(device="cuda"), True, False),
        (Runtime(device="mps"), False, False),
        (Runtime(runtime="torch"), False, False),
        (Runtime(runtime="openvino"), True, True),
        (Runtime(precision="int8"), True, True),
        (Runtime(precision="bf16"), True, False),
    ],
)
def test_openvino_is_used_without_a_gpu(
    words: Runtime, graphics: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "has_gpu", lambda: graphics)
    assert words.on_openvino is expected


def test_has_gpu_agrees_with_torch() -> None:
    import torch

    assert runtime.has_gpu() is (torch.cuda.is_available() or torch.backends.mps.is_available())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"runtime": "onnx"}, "runtime 'onnx' is not known: choose auto, torch, openvino"),
        ({"precision": "fp8"}, "precision 'fp8' is not known"),
        ({"runtime": "openvino", "device": "cuda"}, "OpenVINO runs on the CPU, not on cuda"),
        ({"precision": "int8", "runtime": "torch"}, "int8 is for OpenVINO"),
        ({"precision": "int8", "device": "mps"}, "int8 is for OpenVINO"),
    ],
)
def test_contradictions_are_errors(words: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Runtime(**words)


def test_the_users_settings_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_RUNTIME", "torch")
    monkeypatch.setenv("CLIPSEARCH_PRECISION", "bf16")
    assert Runtime.from_options("cpu", None, None) == Runtime("cpu", "torch", "bf16")
    assert Runtime.from_options("cpu", "auto", "fp32") == Runtime("cpu", "auto", "fp32")
    assert Runtime.from_options("cpu", "auto", "fp32").options() == {
        "device": "cpu",
        "runtime": "auto",
        "precision": "fp32",
    }


def test_a_model_is_converted_once_and_logs_it(
    vit: Path, own_cache: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(f"local-dir:{vit}", Runtime(device="cpu", precision="fp32"))
    assert "converting model local-dir:" in log.text
    assert str(own_cache) in log.text
    log.clear()
    monkeypatch.delattr(export, "_build")
    again = load(f"local-dir:{vit}", Runtime(device="cpu", precision="fp32"))
    assert log.text == ""
    assert again.identity == first.identity
    np.testing.assert_array_equal(again.encode_texts(PROMPTS), first.encode_texts(PROMPTS))


WARM = """
import sys
from PIL import Image
from clipsearch.models.registry import load
encoder = load(sys.argv[1])
encoder.encode_images([encoder.preprocess(Image.new("RGB", (80, 60), "red"))])
encoder.encode_texts(["a dog", "caf\u00e9 &amp; \u5c71"])
print(*sys.modules)
"""


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "ALIGN"])
def test_a_converted_model_imports_none_of_its_original_libraries(
    kind: str, vit: Path, tmp_path: Path
) -> None:
    folder = vit
    if kind == "SigLIP":
        preprocessing = checkpoints.SIGLIP_PREPROCESSING
        folder = checkpoints.save_open_clip(tmp_path / "m", checkpoints.siglip(), preprocessing)
    elif kind == "ALIGN":
        folder = checkpoints.save_align(tmp_path / "m")
    name = f"{'align' if kind == 'ALIGN' else 'local-dir'}:{folder}"
    load(name, Runtime(device="cpu", precision="fp32"))
    run = subprocess.run(
        [sys.executable, "-c", WARM, name], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "openvino" in loaded
    assert not loaded & HEAVY


def test_a_query_imports_none_of_them(vit: Path, image_folder: Path, tmp_path: Path) -> None:
    def clipsearch(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "importtime", "-m", "clipsearch", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    store = ["--uri", str(tmp_path / "photos.db"), "--device", "cpu"]
    clipsearch("ingest", str(image_folder), *store, "--model", f"local-dir:{vit}")
    run = clipsearch("query", "a dog", "+", str(image_folder / "red.png"), *store, "--json")
    assert "red.png" in run.stdout
    lines = (line for line in run.stderr.splitlines() if line.startswith("import time:"))
    loaded = {line.rsplit("|", 1)[-1].strip() for line in lines}
    assert "openvino" in loaded
    assert not loaded & HEAVY


def test_a_collection_made_on_torch_opens_on_openvino(
    vit: Path, image_folder: Path, tmp_path: Path
) -> None:
    from clipsearch import Index

    with Index.open(tmp_path / "a.db", model=f"local-dir:{vit}", runtime="torch") as index:
        index.ingest(image_folder)
    with Index.open(tmp_path / "a.db", device="cpu", precision="fp32") as index:
        [best] = index.search(image=image_folder / "red.png", limit=1)
        assert index.encoder.identity.precision == "float32, by OpenVINO"
    assert best.path.name == "red.png"
    assert best.score == pytest.approx(1, abs=1e-5)


KILLED = """
import os, sys
from clipsearch.models import export
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
half = export.save_graph
def save_graph(path, *rest):
    if path.name == "text.xml":
        os._exit(9)
    half(path, *rest)
export.save_graph = save_graph
load(sys.argv[1], Runtime("cpu"))
"""


def test_a_killed_conversion_is_not_used(
    vit: Path, own_cache: Path, log: pytest.LogCaptureFixture
) -> None:
    name = f"local-dir:{vit}"
    assert subprocess.run([sys.executable, "-c", KILLED, name], check=False).returncode == 9
    [left] = [path for path in own_cache.iterdir() if path.name != "names"]
    assert left.name.startswith(".new-")
    encoder = load(name, Runtime(device="cpu", precision="fp32"))
    assert "converted in" in log.text
    assert encoder.encode_texts(["a dog"]).shape == (1, 32)
    assert not left.exists()


KILLED_AFTER = """
import os, sys
from pathlib import Path
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
move = Path.rename
def rename(path, target):
    if path.parent.name == "compiled":
        os._exit(9)
    return move(path, target)
Path.rename = rename
load(sys.argv[1], Runtime("cpu", precision="fp32"))
"""


def test_a_conversion_killed_before_it_was_compiled_is_compiled_by_the_next_use(
    vit: Path, own_cache: Path, log: pytest.LogCaptureFixture
) -> None:
    name = f"local-dir:{vit}"
    assert subprocess.run([sys.executable, "-c", KILLED_AFTER, name], check=False).returncode == 9
    assert [path.name[:5] for path in own_cache.glob("*/compiled/*")] == [".new-"]
    load(name, Runtime(device="cpu", precision="fp32"))
    assert "converted in" not in log.text
    compiled = list(own_cache.glob("*/compiled/*"))
    assert len(compiled) == 2
    assert all((folder / "verified").exists() for folder in compiled)


def test_concurrent_conversions_succeed(own_cache: Path) -> None:
    barrier = threading.Barrier(4)

    def build(folder: Path) -> dict[str, Any]:
        (folder / "image.xml").write_text("graph")
        barrier.wait(10)
        return {"name": "x"}

    threads = [threading.Thread(target=export_cache.publish, args=("key", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    found = export_cache.manifest("key")
    assert found is not None
    assert found["files"] == {"image.xml": 5}
    assert [path.name for path in own_cache.iterdir()] == ["key"]


def test_changed_weights_are_another_model(tmp_path: Path, own_cache: Path) -> None:
    folder = checkpoints.save_open_clip(tmp_path / "model", tiny(), CLIP_PREPROCESSING)
    before = load(f"local-dir:{folder}", Runtime(device="cpu", precision="fp32"))
    checkpoints.save_weights(folder / "open_clip_model.safetensors", tiny(), seed=1)
    after = load(f"local-dir:{folder}", Runtime(device="cpu", precision="fp32"))
    assert not before.identity.is_comparable(after.identity)
    assert not np.allclose(before.encode_texts(["a"]), after.encode_texts(["a"]), atol=1e-2)


@pytest.mark.parametrize("change", ["lost bytes", "a library is newer", "files were touched"])
def test_an_outdated_conversion_is_made_again(
    change: str,
    vit: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    name = f"local-dir:{vit}"
    expected = load(name, Runtime(device="cpu", precision="fp32")).encode_texts(PROMPTS)
    log.clear()
    if change == "lost bytes":
        [graph] = own_cache.glob("*/text.bin")
        graph.write_bytes(graph.read_bytes()[:1000])
    elif change == "a library is newer":
        newer = export_cache.versions() | {"torch": "99.0"}
        monkeypatch.setattr(export_cache, "versions", lambda: newer)
    else:
        os.utime(vit / "open_clip_config.json", (1, 1))
    np.testing.assert_array_equal(
        load(name, Runtime(device="cpu", precision="fp32")).encode_texts(PROMPTS), expected
    )
    # What was only touched is read again, found to be the same, and not converted again.
    assert ("converted in" in log.text) is (change != "files were touched")


def test_a_model_that_cannot_be_converted_runs_on_torch_and_logs_why(
    vit: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def build(*_: object) -> dict[str, Any]:
        raise NotExportableError("it dreams")

    monkeypatch.setattr(export, "_build", build)
    name = f"local-dir:{vit}"
    for _ in range(2):  # the second time without trying
        log.clear()
        assert load(name, Runtime(device="cpu", precision="fp32")).identity.precision == "float32"
        [line] = [record.getMessage() for record in log.records if "torch" in record.getMessage()]
        assert line == f"model {name} runs on torch, which is slower: it dreams"
        monkeypatch.delattr(export, "_export", raising=False)
    assert load(name, Runtime(device="cpu", precision="bf16")).identity.precision == "bfloat16"


def test_a_model_runs_on_torch_if_the_conversion_cannot_be_saved(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    encoder = load(f"local-dir:{vit}", Runtime(device="cpu", precision="fp32"))
    assert encoder.identity.precision == "float32"
    assert "the conversion cannot be saved" in log.text


def test_a_conversion_that_changes_vectors_is_not_used(
    vit: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "min_cosine", lambda *_: 0.97)
    assert (
        load(f"local-dir:{vit}", Runtime(device="cpu", precision="fp32")).identity.precision
        == "float32"
    )
    assert "the converted model's vectors differ (cosine 0.97" in log.text


def test_a_truncated_record_is_ignored(own_cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "weights"
    source.write_bytes(b"1")
    export_cache.save_record(
        "name", [source, tmp_path / "gone"], export_cache.ExportRecord(key="k")
    )
    assert export_cache.load_record("name") == export_cache.ExportRecord(key="k")
    assert export_cache.load_record("other") is None
    [record] = (own_cache / "names").iterdir()
    record.write_text(record.read_text()[:50])
    assert export_cache.load_record("name") is None
    export_cache.save_record(
        "name", [source, tmp_path / "gone"], export_cache.ExportRecord(key="k")
    )
    (tmp_path / "gone").write_bytes(b"there now")
    assert export_cache.load_record("name") is None


@given(lengths=st.lists(st.integers(0, 77), max_size=80))
def test_buckets_hold_every_text_once_with_little_padding(lengths: list[int]) -> None:
    groups = list(length_buckets(lengths))
    assert sorted(place for group, _ in groups for place in group) == list(range(len(lengths)))
    for group, length in groups:
        assert max(1, *(lengths[place] for place in group), 1) == length
    cost = sum(len(group) * length + RUN_COST for group, length in groups)
    assert cost <= (max([*lengths, 1]) * len(lengths) + RUN_COST if lengths else 0)


def test_the_command_line_has_all_three_options(
    vit: Path, image_folder: Path, tmp_path: Path
) -> None:
    words = shlex.split("--device cpu --runtime torch --precision bf16 --json")
    command = [sys.executable, "-m", "clipsearch", "ingest", str(image_folder)]
    store = ["--uri", str(tmp_path / "photos.db")]
    run = subprocess.run(
        [*command, *store, *words, "--model", f"local-dir:{vit}"], capture_output=True, check=True
    )
    status = [sys.executable, "-m", "clipsearch", "status", *store, "--json"]
    shown = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert '"precision": "bfloat16"' in shown, run.stderr
    refused = subprocess.run(
        [*command, *store, "--precision", "int8", "--runtime", "torch"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert refused.stderr == textwrap.dedent(
        """\
        clipsearch: int8 is for OpenVINO on the CPU only: use bf16 or auto
        """
    )
