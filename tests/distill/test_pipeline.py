"""Distillation: the student is trained, loads like any model, and survives interrupts."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import clipsearch
from clipsearch.distill import DistillReport, image_dataset, loss, training_loop
from clipsearch.distill.run_state import check_output_folder
from clipsearch.errors import ModelError, UsageError
from clipsearch.models import registry
from clipsearch.models.embedding import encode_pixels
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")

CLIP_PREPROCESSING = checkpoints.CLIP_PREPROCESSING
COUNT = 60
SMALL: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 8,
    "held_out": 0.4,
    "runtime": Runtime("cpu", "torch"),
}


@pytest.fixture(autouse=True)
def on_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run on torch, without conversion, and with an empty cache."""
    monkeypatch.setenv("CLIPSEARCH_RUNTIME", "torch")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))


def tiny(**vision: Any) -> dict[str, Any]:
    """A CLIP small enough to train in a test."""
    tower = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    return {"embed_dim": 24, "vision_cfg": {**tower, **vision}, "text_cfg": text}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("teacher") / "clip"
    return f"local-dir:{checkpoints.save_open_clip(folder, tiny(), CLIP_PREPROCESSING)}"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number in range(COUNT):
        coarse = Image.fromarray(random.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        coarse.resize((40, 30)).save(folder / f"{number:02}.png")
    return folder


def weights(folder: Path, name: str = "open_clip_model.safetensors") -> dict[str, Any]:
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(folder / name)
    return tensors


def test_a_student_is_a_model_in_its_teachers_space(
    teacher: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)

    assert isinstance(found, DistillReport)
    assert found.trained + found.held_out == COUNT
    assert found.held_out > 20
    assert found.agreement is not None
    assert 0 < found.agreement.measure("image queries", "mAP@10-20").value <= 1
    assert [(epoch.tower, epoch.number) for epoch in found.history] == [
        ("image", 0),
        ("image", 1),
        ("image", 2),
    ]
    monkeypatch.delenv("CLIPSEARCH_RUNTIME")  # converted to OpenVINO, as for any user
    student = registry.load(found.model, Runtime(device="cpu", precision="fp32"))
    original = registry.load(teacher, Runtime(device="cpu", runtime="torch", precision="fp32"))
    assert student.logit_scale == pytest.approx(original.logit_scale)
    texts = ["a dog", "two cats in the rain"]
    np.testing.assert_allclose(student.encode_texts(texts), original.encode_texts(texts), atol=1e-5)
    pixels = original.preprocess(Image.open(images / "00.png"))
    np.testing.assert_allclose(student.preprocess(Image.open(images / "00.png")), pixels, atol=1e-6)
    cosines = [epoch.cosine for epoch in found.history]
    assert cosines == sorted(cosines, key=lambda cosine: cosine or 0)


def test_only_the_model_is_left_in_the_folder(teacher: str, images: Path, tmp_path: Path) -> None:
    found = clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)

    assert {path.name for path in found.folder.iterdir()} == {
        "distillation.json",
        "image-fp16.safetensors",
        "image.safetensors",
        "open_clip_config.json",
        "open_clip_model.safetensors",
    }
    model_weights = weights(found.folder)
    for name, tensor in weights(found.folder, "image.safetensors").items():
        assert (model_weights[f"visual.{name}"] == tensor).all()
    assert json.loads((found.folder / "distillation.json").read_text())["finished"] is True


def test_half_precision_halves_the_size(teacher: str, images: Path, tmp_path: Path) -> None:
    found = clipsearch.distill_model(teacher, images, tmp_path / "student", half=True, **SMALL)

    assert {str(tensor.dtype) for tensor in weights(found.folder).values()} == {"torch.float16"}
    small, large = (found.sizes[name] for name in ("image-fp16.safetensors", "image.safetensors"))
    assert small < 0.6 * large
    registry.load(found.model, Runtime.from_options("cpu")).encode_texts(["it loads"])


class Interrupt(KeyboardInterrupt):
    """Ctrl-C."""


def interrupt_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in the middle of that epoch."""
    compute_loss = loss.distillation_loss
    calls = 0

    def interrupting_loss(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4 * (number - 1) + 2:
            raise Interrupt
        return compute_loss(*arguments, **options)

    monkeypatch.setattr(training_loop, "distillation_loss", interrupting_loss)


def test_a_continued_run_gives_the_weights_of_an_uninterrupted_one(
    teacher: str, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {**SMALL, "epochs": 3}
    uninterrupted = clipsearch.distill_model(teacher, images, tmp_path / "uninterrupted", **options)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO, "clipsearch"):
        interrupt_in_epoch(3, patch)
        with pytest.raises(Interrupt):
            clipsearch.distill_model(teacher, images, tmp_path / "interrupted", **options)
    assert "interrupted after epoch 2 of 3" in caplog.text
    assert "run the same command to continue" in caplog.text
    interim = weights(tmp_path / "interrupted")  # a model already
    registry.load(
        f"local-dir:{tmp_path / 'interrupted'}", Runtime.from_options("cpu")
    ).encode_texts(["it loads"])

    resumed = clipsearch.distill_model(teacher, images, tmp_path / "interrupted", **options)

    expected, found = weights(uninterrupted.folder), weights(resumed.folder)
    assert expected.keys() == found.keys()
    assert all(expected[name].equal(found[name]) for name in expected)
    assert not all(interim[name].equal(found[name]) for name in found)
    assert resumed.history == uninterrupted.history


def test_a_run_interrupted_in_the_first_epoch_can_continue(
    teacher: str, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO, "clipsearch"):
        interrupt_in_epoch(1, patch)
        with pytest.raises(Interrupt):
            clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)
    assert "interrupted before" in caplog.text
    clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)


def test_a_run_continues_with_the_same_settings_only(
    teacher: str, images: Path, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_in_epoch(2, patch)
        with pytest.raises(Interrupt):
            clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)
    with pytest.raises(UsageError, match="was started with epochs 2, not 5"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **{**SMALL, "epochs": 5})
    (tmp_path / "student" / "checkpoint-image.pt").write_bytes(b"PK not a checkpoint")
    with pytest.raises(ModelError, match=r"checkpoint-image\.pt is damaged: delete it"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)


def test_the_teacher_embeds_each_image_once(
    teacher: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_sizes: list[int] = []

    def count_and_encode(encoder: Any, pixels: Any) -> Any:
        batch_sizes.append(len(pixels))
        return encode_pixels(encoder, pixels)

    monkeypatch.setattr(image_dataset, "encode_pixels", count_and_encode)
    first = clipsearch.distill_model(teacher, images, tmp_path / "first", **SMALL)
    assert sum(batch_sizes) == 2 * COUNT  # and their mirrored twins
    second = clipsearch.distill_model(teacher, images, tmp_path / "second", **SMALL)
    assert sum(batch_sizes) == 2 * COUNT
    first_weights, second_weights = weights(first.folder), weights(second.folder)
    assert all(first_weights[name].equal(second_weights[name]) for name in first_weights)

    [cached] = (tmp_path / "cache" / "distillation").glob("*.npz")
    cached.write_bytes(cached.read_bytes()[:1000])
    third = clipsearch.distill_model(teacher, images, tmp_path / "third", **SMALL)
    assert sum(batch_sizes) == 4 * COUNT
    assert third.history == first.history


def test_broken_files_are_skipped_and_named(teacher: str, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for path in images.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "copy.png").write_bytes((images / "00.png").read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not an image")
    found = clipsearch.distill_model(teacher, folder, tmp_path / "student", **SMALL)
    assert [failure.path.name for failure in found.skipped] == ["broken.jpg"]
    assert found.trained + found.held_out == COUNT  # the copy does not count twice


def test_captions_shrink_the_text_tower_too(teacher: str, images: Path, tmp_path: Path) -> None:
    file = tmp_path / "captions.txt"
    file.write_text("\n".join(f"an image of {n} things" for n in range(40)))
    found = clipsearch.distill_model(teacher, images, tmp_path / "student", captions=file, **SMALL)
    assert {epoch.tower for epoch in found.history} == {"image", "text"}
    assert found.text_parameters is not None
    assert found.text_parameters < 49408 * 16 * 1.1
    student = registry.load(found.model, Runtime.from_options("cpu"))
    assert student.encode_texts(["an image of 3 things"]).shape == (1, 24)


def test_a_teacher_of_another_library_needs_captions(images: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"text tower of pocket, .* captions"):
        clipsearch.distill_model("pocket", images, tmp_path / "student", **SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 64}, "60 images .* less than a batch of 64"),
        ({"batch_size": 48}, "readable images to train on besides .* less than a batch of 48"),
        ({"heads": 5}, "5 heads do not divide the student's width of 32"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"batch_size": 1}, "at least 2 examples"),
        ({"held_out": 1.0}, "held-out share"),
        ({"captions": "nowhere.txt"}, "nowhere.txt cannot be read"),
    ],
)
def test_invalid_values_raise_usage_error(
    change: dict[str, Any], message: str, teacher: str, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **{**SMALL, **change})


def test_unusable_folders_are_rejected(teacher: str, images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no images in"):
        clipsearch.distill_model(teacher, tmp_path / "empty", tmp_path / "student", **SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        clipsearch.distill_model(teacher, images, tmp_path / "full", **SMALL)
    with pytest.raises(UsageError, match="is not a folder"):
        clipsearch.distill_model(teacher, images, tmp_path / "full" / "letter.txt", **SMALL)
    (tmp_path / "captions.txt").write_text("\n \n")
    captions = tmp_path / "captions.txt"
    with pytest.raises(UsageError, match="holds no"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", captions=captions, **SMALL)
    with pytest.raises(ModelError, match="unknown model"):
        clipsearch.distill_model("ViT-B-99/nothing", images, tmp_path / "student", **SMALL)
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "distillation.json").write_text('{"finished": true}')
    with pytest.raises(UsageError, match="holds a finished student"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)


def test_a_temporary_file_of_a_killed_run_makes_no_folder_unusable(tmp_path: Path) -> None:
    (tmp_path / ".clipsearch-0123-0.part").touch()
    assert check_output_folder(tmp_path) == tmp_path


def test_too_little_disk_space_is_an_error(
    teacher: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"0\.0 GB are free: name a folder on another disk"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)


def test_a_run_that_failed_before_training_may_restart_with_other_settings(
    teacher: str, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="less than a batch of 48"):
        clipsearch.distill_model(
            teacher, images, tmp_path / "student", **{**SMALL, "batch_size": 48}
        )
    clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)


def test_a_missing_torch_names_the_extra_before_any_work(
    teacher: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.models.runtime.has_torch", lambda: False)
    with pytest.raises(ModelError, match=r"pip install 'clipsearch\[torch\]'"):
        clipsearch.distill_model(teacher, images, tmp_path / "student", **SMALL)
    assert not (tmp_path / "student").exists()
    assert not (tmp_path / "cache").exists()
