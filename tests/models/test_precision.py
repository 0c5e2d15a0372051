"""The precision of a converted model: measured, checked, remembered, shown."""

import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch import Index, cpu
from clipsearch.errors import ModelError
from clipsearch.models import exported_model, int8, int8_build, precision, registry
from clipsearch.models.calibration_images import calibration_images, draw_images
from clipsearch.models.int8_build import neighbor_recall
from clipsearch.models.openvino_runtime import has_bf16, has_int8
from clipsearch.models.precision import VARIANTS, Figures, PrecisionRecord
from clipsearch.models.runtime import Runtime
from clipsearch.vectors import normalize
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING, PROMPTS
from tests.helpers.commands import command
from tests.helpers.daemons import serving

pytestmark = pytest.mark.usefixtures("one_thread")

AUTO = Runtime("cpu", "openvino", "auto")
INT8 = Runtime("cpu", "openvino", "int8")

needs_int8 = pytest.mark.skipif(not has_int8(), reason="needs instructions for int8")
needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="needs instructions for bfloat16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = checkpoints.vit_b_32(32)
    config["vision_cfg"] |= {"layers": 2, "width": 64, "image_size": 64}
    config["text_cfg"] |= {"layers": 1, "width": 64, "heads": 1}
    folder = tmp_path_factory.mktemp("precision") / "vit"
    return checkpoints.save_open_clip(folder, config, CLIP_PREPROCESSING)


@pytest.fixture
def model(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A model in an empty cache, with few images to check it on."""
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(int8_build, "CHECKED_IMAGES", 40)
    monkeypatch.setattr(int8_build, "MIN_RECALL", 0.5)  # those of random weights are alike
    monkeypatch.setattr(precision, "SCREENING_SECONDS", 0.05)
    monkeypatch.setattr(precision, "TIMING_SECONDS", 0.05)
    return f"local-dir:{folder}"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="clipsearch")
    return caplog


rates = st.floats(0.1, 1000)


@given(st.dictionaries(st.sampled_from(VARIANTS), rates, min_size=1))
def test_no_offered_precision_is_much_faster_than_the_chosen_one(
    measured: dict[str, float],
) -> None:
    record = PrecisionRecord("here", {name: Figures(rate) for name, rate in measured.items()})
    best = record.best()
    assert best is not None
    assert measured[best] >= precision.TOLERANCE * max(measured.values())
    for name in VARIANTS[: VARIANTS.index(best)]:  # the more exact ones are slower
        assert measured.get(name, 0) < precision.TOLERANCE * max(measured.values())


def test_a_refused_precision_is_not_chosen() -> None:
    figures = {"fp32": Figures(10), "bf16": Figures(0, 0.9, refused="cosine 0.9")}
    record = PrecisionRecord("here", figures)
    assert record.best() == "fp32"
    assert record.best(["bf16"]) is None
    assert "bf16 not offered, cosine 0.9" in record.describe()


def test_a_disturbance_does_not_exclude_the_fastest_variant() -> None:
    class Sleeper:
        def __init__(self, *seconds: float) -> None:
            self.seconds = list(seconds)

        def encode_images(self, pixels: Sequence[Any]) -> None:
            time.sleep(self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])

    encoders: Any = {"fp32": Sleeper(0.004), "int8": Sleeper(0.04, 0.04, 0.04, 0.001)}
    rates = precision.time_variants(encoders, np.zeros((3, 2, 2), np.float32), 8)
    assert rates["int8"] > rates["fp32"]


@needs_int8
def test_auto_measures_once_and_remembers(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = registry.load(model, AUTO)
    record = registry.measured_precision(model)
    assert record is not None
    assert record.covers(precision.offered("auto"))
    assert record.machine == cpu.description()
    best = record.best()
    assert best is not None
    assert f"computes in {best}, the fastest of" in log.text
    assert ("bfloat16" in first.identity.precision) == best.endswith("bf16")
    assert first.identity.precision.startswith("int8") == best.startswith("int8")

    log.clear()
    again = registry.load(model, AUTO)
    assert log.text == ""
    assert again.identity == first.identity

    monkeypatch.setattr(cpu, "description", lambda: "another processor")
    registry.load(model, AUTO)
    assert "the fastest of" in log.text
    assert "int8 version" not in log.text  # its graphs hold on every processor


@needs_int8
def test_int8_is_calibrated_where_nncf_is_installed(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "find_spec", lambda _: None)
    weights = registry.load(model, INT8)
    assert weights.identity.precision.startswith("int8 weights, ")
    monkeypatch.undo()
    monkeypatch.setattr(int8_build, "MIN_RECALL", 0.5)
    pytest.importorskip("nncf", reason="needs nncf: pip install -e '.[int8]'")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(_cache(weights)))
    calibrated = registry.load(model, INT8)
    assert calibrated.identity.precision.startswith("int8 and ")
    pixels = [weights.preprocess(image) for image in draw_images(3)]
    exact = normalize(
        registry.load(model, Runtime("cpu", "openvino", "fp32")).encode_images(pixels)
    )
    for encoder in (weights, calibrated):
        assert np.sum(normalize(encoder.encode_images(pixels)) * exact, axis=1).min() > 0.99
    # It stays when NNCF is uninstalled.
    monkeypatch.setattr(int8, "find_spec", lambda _: None)
    assert registry.load(model, INT8).identity == calibrated.identity


def _cache(encoder: Any) -> Path:
    folder: Path = encoder.folder
    return folder.parents[1]


def test_int8_that_changes_neighbors_is_refused_once(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_build, "MIN_RECALL", 1.01)
    with pytest.raises(ModelError, match=r"cannot compute in int8.*of the nearest neighbors"):
        registry.load(model, INT8)
    assert "not usable: int8 changes vectors too much" in log.text
    log.clear()
    with pytest.raises(ModelError, match="--precision auto"):
        registry.load(model, INT8)
    assert "int8 version" not in log.text
    assert not registry.load(model, AUTO).identity.precision.startswith("int8")


def test_a_full_disk_means_another_precision_until_there_is_space(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(openvino, "save_model", _fail)
        with pytest.raises(ModelError, match=r"cannot compute in int8: the conversion cannot be"):
            registry.load(model, INT8)
    registry.load(model, Runtime("cpu", "openvino", "fp32"))
    with monkeypatch.context() as patch:
        patch.setattr(openvino, "save_model", _fail)
        log.clear()
        assert not registry.load(model, AUTO).identity.precision.startswith("int8")
        if has_int8():
            assert log.text.count("text.xml cannot be written: is the disk full?") == 1
        with pytest.raises(ModelError, match=r"cannot compute in int8.*is the disk full\?\);"):
            registry.load(model, INT8)
    assert registry.load(model, INT8).identity.precision.startswith("int8")


def _fail(*_: object, **__: object) -> None:
    raise RuntimeError("basic_ios::clear: iostream error")  # OpenVINO's error on a full disk


def test_a_failing_nncf_leaves_8_bit_weights(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelError("NNCF cannot calibrate it")

    monkeypatch.setattr(int8_build, "can_calibrate", lambda: True)
    monkeypatch.setattr(int8_build, "calibrate", fail)
    assert registry.load(model, INT8).identity.precision.startswith("int8 weights, ")
    assert "NNCF cannot calibrate it; trying 8-bit weights" in log.text


@needs_bf16
def test_bfloat16_that_changes_vectors_is_refused(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported_model, "MIN_BF16_COSINE", 1.01)
    encoder = registry.load(model, Runtime("cpu", "openvino", "bf16"))
    assert encoder.identity.precision == "float32, by OpenVINO"
    assert "computes in float32: bfloat16 changes vectors" in log.text


def test_a_damaged_record_is_measured_again(model: str, log: pytest.LogCaptureFixture) -> None:
    encoder: Any = registry.load(model, INT8)
    [file] = _cache(encoder).glob("models/*/precision-*.json")
    file.write_text("{")
    assert registry.measured_precision(model) is None
    assert registry.load(model, INT8).identity.precision.startswith("int8")
    assert registry.measured_precision(model) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not read-only on Windows")
def test_a_read_only_cache_means_float32(
    model: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.load(model, Runtime("cpu", "openvino", "fp32"))
    monkeypatch.setattr("clipsearch.models.exported_model.os.access", lambda *_: False)
    assert registry.load(model, AUTO).identity.precision == "float32, by OpenVINO"
    if len(precision.offered("auto")) > 1:
        assert "is read-only" in log.text


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of the user's images in each calibration."""
    counts: list[int] = []

    def record(count: int, sample: Any) -> list[Image.Image]:
        counts.append(len(sample(count)))
        return calibration_images(count, sample)

    monkeypatch.setattr(int8_build, "calibration_images", record)
    return counts


@pytest.fixture
def store(model: str, image_folder: Path, tmp_path: Path) -> Path:
    """Three images, embedded in float32."""
    with Index.open(tmp_path / "a.db", model=model, device="cpu", precision="fp32") as index:
        index.ingest(image_folder)
    return tmp_path / "a.db"


def test_it_is_calibrated_on_images_that_are_ingested(
    model: str, image_folder: Path, tmp_path: Path, sampled: list[int]
) -> None:
    with Index.open(tmp_path / "a.db", model=model, device="cpu", precision="int8") as index:
        index.ingest(image_folder)
    assert sampled == [3]


def test_a_daemon_leaves_the_calibration_to_the_command(store: Path, sampled: list[int]) -> None:
    words = ["query", "red", "--precision", "int8", "--device", "cpu", "--uri", str(store)]
    with serving(store):
        for _ in range(2):
            assert command(*words).returncode == 0
    assert sampled == [3]


def test_a_preload_leaves_the_calibration_to_the_session(
    model: str, store: Path, sampled: list[int]
) -> None:
    assert registry.would_calibrate(model, INT8)
    for _ in range(2):
        with Index.open(store, preload=True, device="cpu", precision="int8") as index:
            index.search("red")
    assert sampled == [3]
    assert not registry.would_calibrate(model, INT8)


def test_the_record_is_shown(model: str, image_folder: Path, tmp_path: Path) -> None:
    store = ["--uri", str(tmp_path / "a.db")]
    command("ingest", str(image_folder), "--model", model, "--precision", "int8", *store)
    shown = command("status", *store).stdout
    assert "images/s" in shown
    assert cpu.description() in shown
    [status] = map(json.loads, command("status", "--json", *store).stdout.splitlines())
    measured = status["collections"][0]["measured_precisions"]
    assert measured["figures"]["int8"]["images_per_second"] > 0
    assert measured["chosen"] in VARIANTS
    assert f"processor: {cpu.description()}" in command("models", "--verbose").stdout


def test_drawn_images_differ_and_are_the_same_every_time() -> None:
    first, second = draw_images(8), draw_images(8)
    assert [a.tobytes() for a in first] == [b.tobytes() for b in second]
    assert len({image.tobytes() for image in first}) == 8


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(0, 16))
def test_real_images_take_the_place_of_drawn_ones(count: int, available: int) -> None:
    real = [Image.new("RGB", (2, 2)) for _ in range(available)]
    images = calibration_images(count, lambda wanted: real[:wanted])
    assert len(images) == count
    assert sum(image.size == (2, 2) for image in images) == min(count, available)


def test_neighbor_recall_agrees_with_a_simple_count() -> None:
    random = np.random.default_rng(0)
    expected = normalize(random.normal(size=(30, 8)).astype(np.float32))
    vectors = normalize(expected + 0.3 * random.normal(size=(30, 8)).astype(np.float32))

    def nearest(rows: Any, index: int) -> set[int]:
        others = [other for other in range(30) if other != index]
        return set(sorted(others, key=lambda other: -float(rows[other] @ rows[index]))[:10])

    common = [len(nearest(vectors, i) & nearest(expected, i)) for i in range(30)]
    assert neighbor_recall(vectors, expected) == pytest.approx(sum(common) / 300)
    assert neighbor_recall(expected, expected) == 1


def test_texts_agree_in_every_precision(model: str) -> None:
    exact = normalize(
        registry.load(model, Runtime("cpu", "openvino", "fp32")).encode_texts(PROMPTS)
    )
    texts = normalize(registry.load(model, INT8).encode_texts(PROMPTS))
    assert np.sum(texts * exact, axis=1).min() > 0.99


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("pocket", INT8),
        ("no-such-model", INT8),
        ("ViT-B-32/openai", Runtime("cpu", "torch")),
        ("ViT-B-32/openai", Runtime("cpu", "openvino", "fp32")),
        ("ViT-B-32/openai", Runtime("cpu", "openvino", "bf16")),
    ],
)
def test_other_models_and_precisions_are_not_calibrated(name: str, runtime: Runtime) -> None:
    assert not registry.would_calibrate(name, runtime)
