"""`clipsearch distill` on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from clipsearch.cli.main import main
from tests.helpers import checkpoints

Run = Callable[..., tuple[int, str, str]]

STEPS = ("--epochs", "1", "--batch-size", "8", "--held-out", "0.4", "--device", "cpu")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command line; its exit code, standard output and standard error."""
    monkeypatch.setenv("CLIPSEARCH_RUNTIME", "torch")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with CliRunner().isolation() as (stdout, stderr, _):
            with pytest.raises(SystemExit) as exit_:
                main([str(argument) for argument in arguments])
            code = exit_.value.code
            return int(code or 0), stdout.getvalue().decode(), stderr.getvalue().decode()

    return run


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 16, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 16,
            "heads": 1,
            "layers": 1,
        },
    }
    folder = tmp_path / "teacher"
    return f"local-dir:{checkpoints.save_open_clip(folder, config, checkpoints.CLIP_PREPROCESSING)}"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(60):
        pixels = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_student_is_ingested_and_searched(
    run: Run, teacher: str, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "student"
    command = ("distill", "--teacher", teacher, "--images", images, "-o", out, *STEPS)
    code, stdout, stderr = run(*command)
    assert code == 0, stderr
    assert "mAP@10-20" in stdout
    assert "image-fp16.safetensors" in stdout
    assert f"--model local-dir:{out}" in stdout
    assert "image tower, epoch 1 of 1: loss" in stderr

    store = tmp_path / "photos.db"
    code, _, stderr = run("ingest", images, "--model", f"local-dir:{out}", "--uri", store)
    assert code == 0, stderr
    code, stdout, stderr = run("query", "a dog", "--uri", store, "-n", "3", "--json")
    assert code == 0, stderr
    assert stdout.count('"path"') == 3

    code, _, stderr = run(*command)
    assert code == 2
    assert "holds a finished student" in stderr


def test_json_is_one_object_and_bad_files_are_named(
    run: Run, teacher: str, images: Path, tmp_path: Path
) -> None:
    (images / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    out = tmp_path / "student"
    code, stdout, stderr = run(
        "distill", "--teacher", teacher, "--images", images, "-o", out, *STEPS, "--json", "--half"
    )
    assert code == 3
    assert "bad.jpg" in stderr
    found = json.loads(stdout)
    assert found["model"] == f"local-dir:{out}"
    assert found["agreement"]["eval"] == "agreement"
    assert [epoch["number"] for epoch in found["history"]] == [0, 1]
    assert [Path(one["path"]).name for one in found["skipped"]] == ["bad.jpg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--teacher", "nothing"), "unknown model 'nothing'"),
        (("--teacher", "pocket", *STEPS), "--captions FILE"),
        (("--teacher", "pocket", "--captions", "nowhere.txt"), "nowhere.txt cannot be read"),
        (("--teacher", "pocket", "--batch-size", "500"), "less than a batch of 500"),
    ],
)
def test_errors_of_distill_are_one_line(
    arguments: tuple[str, ...], words: str, run: Run, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "student"
    code, stdout, stderr = run("distill", "--images", images, "-o", out, *arguments)
    assert code in (1, 2)
    assert not stdout
    assert words in stderr
    assert len(stderr.splitlines()) == 1
    assert not out.exists()
