"""With too few open files, commands say so and end; with 24 all of them work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.store.milvus_lite.native_server import native_library
from tests.helpers.fakes import draw
from tests.helpers.limits import limited

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

COMMANDS = (
    ["ingest", "images"],
    ["status"],
    ["query", "red"],
    ["similar", "images/red.png"],
    ["tag", "-l", "red", "-l", "blue"],
    ["classify", "images/red.png", "-l", "red", "-l", "blue"],
    ["explain", "red", "images/red.png", "-o", "map.png"],
    ["duplicates"],
    ["check"],
    ["remove", "images/red.png"],
)


def run(folder: Path, limit: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        limited("-n", limit, [sys.executable, "-m", "clipsearch", *arguments]),
        cwd=folder,
        env={**os.environ, "CLIPSEARCH_URI": str(folder / "a.db"), "CLIPSEARCH_MODEL": "pocket"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for color in ("red", "green", "blue"):
        draw(tmp_path / "images" / f"{color}.png", color)
    return tmp_path


def test_with_24_open_files_every_command_works(folder: Path) -> None:
    for arguments in COMMANDS:
        done = run(folder, 24, arguments)
        assert done.returncode == 0, (arguments, done.stderr)


@pytest.mark.parametrize("limit", [9, 12, 16])
def test_with_fewer_a_command_names_the_limit_and_nothing_is_damaged(
    folder: Path, limit: int
) -> None:
    for arguments in (["ingest", "images"], ["status"], ["tag", "-l", "a", "-l", "b"]):
        done = run(folder, limit, arguments)
        assert done.returncode == 1, (arguments, done.stderr)
        assert "ulimit -n" in done.stderr or "no store at" in done.stderr
        assert "Traceback" not in done.stderr
    assert run(folder, 24, ["ingest", "images"]).returncode == 0
    assert run(folder, 24, ["check"]).returncode == 0
