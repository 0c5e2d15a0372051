"""Ctrl-C, full disks and killed children while a model is converted, calibrated or used."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from clipsearch import interrupt
from clipsearch.models import export
from clipsearch.models.calibration_images import draw_images
from clipsearch.models.int8 import calibrate, can_calibrate
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.checkpoints import CLIP_PREPROCESSING
from tests.helpers.fakes import draw
from tests.helpers.small_disk import run_with_mounts

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
NEEDS_NNCF = pytest.mark.skipif(not can_calibrate(), reason="needs the extra `int8`")
SECONDS = 10.0
"""Until a command has ended: two on an idle machine."""


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = checkpoints.vit_b_32(32)
    config["vision_cfg"] |= {"layers": 1, "width": 64, "image_size": 64}
    config["text_cfg"] |= {"layers": 1, "width": 64, "heads": 1}
    folder = tmp_path_factory.mktemp("interrupted") / "vit"
    return checkpoints.save_open_clip(folder, config, CLIP_PREPROCESSING)


@POSIX
def test_interrupts_while_images_are_embedded_do_no_harm() -> None:
    encoder = load("pocket", Runtime("cpu", "openvino", "fp32"))
    pixels = [encoder.preprocess(image) for image in draw_images(8)]
    expected = encoder.encode_images(pixels)
    started = time.perf_counter()
    encoder.encode_images(pixels)
    seconds = time.perf_counter() - started
    moments, interrupts = random.Random(1), 0
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-5, moments.uniform(0, seconds)))
                while True:
                    encoder.encode_images(pixels)
            except KeyboardInterrupt:
                interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert interrupts == 60
    np.testing.assert_array_equal(encoder.encode_images(pixels), expected)


@POSIX
@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize(
    "moment", ["converting model", "converted in", pytest.param("calibration", marks=NEEDS_NNCF)]
)
def test_ctrl_c_ends_a_conversion_and_leaves_nothing(
    moment: str, whole_group: bool, vit: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "images" / "red.png", "red")
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsearch", "ingest", "images", "--precision", "int8"],
        cwd=tmp_path,
        env={
            **os.environ,
            "CLIPSEARCH_CACHE": str(tmp_path / "cache"),
            "CLIPSEARCH_MODEL": f"local-dir:{vit}",
            "CLIPSEARCH_URI": str(tmp_path / "a.db"),
            "TMPDIR": str(tmp_path / "tmp"),
        },
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    if moment == "calibration":
        while not any("calibration_process" in line for line in working_in(tmp_path)):
            assert process.poll() is None
            time.sleep(0.02)
    else:
        while moment not in (line := process.stderr.readline()):
            assert line
    time.sleep(0.2)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("clipsearch: interrupted")
    assert working_in(tmp_path) == []
    assert not list(tmp_path.rglob(".new-*"))
    assert not list((tmp_path / "tmp").glob("clipsearch-*"))


def working_in(folder: Path) -> list[str]:
    """The command lines that name the folder."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(folder) in line]


def test_an_interrupt_that_a_native_module_hid_is_not_recorded(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> None:
        monkeypatch.setattr(interrupt, "_has_come", True)
        raise ImportError("initialization failed")

    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(export, "_build", build)
    with pytest.raises(KeyboardInterrupt):
        load(f"local-dir:{vit}", Runtime("cpu", "openvino", "fp32"))
    assert not list((tmp_path / "cache" / "models").glob("names/*"))


FULL = """
import os
disk, vit, images, store = map(Path, sys.argv[1:])
mount(disk, 100)
environment = {
    **os.environ, "CLIPSEARCH_CACHE": str(disk / "cache"), "CLIPSEARCH_MODEL": f"local-dir:{vit}"
}

def ingest(precision):
    words = ["--uri", store, "--precision", precision, "--rehash"]
    return run("ingest", images, *words, env=environment)

def refused(done):
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert f"cannot be saved in {disk}/cache/models (" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(disk.rglob(".new-*"))

refused(ingest("int8"))
resize(disk, 200_000)
assert ingest("fp32").returncode == 0
fill(disk)
refused(ingest("int8"))
(disk / "filler").unlink()
done = ingest("int8")
assert done.returncode in (0, 1), done.stderr  # vectors of random weights may differ too much
assert "cannot be saved" not in done.stderr
print("passed")
"""


def test_a_conversion_on_a_full_disk_names_the_folder_and_is_made_later(
    vit: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    draw(tmp_path / "images" / "red.png", "red")
    paths = (tmp_path / "disk", vit, tmp_path / "images", tmp_path / "a.db")
    done = run_with_mounts(FULL, *paths, timeout=200)
    assert done.stdout == "passed\n", done.stderr


@NEEDS_NNCF
@pytest.mark.parametrize("end", ["disk", "kill"])
def test_a_calibration_that_others_end_is_no_fault_of_the_model(
    end: str, vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    encoder = load(f"local-dir:{vit}", Runtime("cpu", "openvino", "fp32"))
    [source] = (tmp_path / "cache" / "models").glob("*/image.xml")
    images = [encoder.preprocess(image) for image in draw_images(4)]
    (tmp_path / "file").touch()
    if end == "kill":
        killed = tmp_path / "killed.sh"
        killed.write_text("#!/bin/sh\nkill -9 $$\n")
        killed.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(OSError, match="cannot be written" if end == "disk" else "ended"):
        calibrate(source, tmp_path / "file" / "image.xml", images)
