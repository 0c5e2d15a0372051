"""With too little address space, commands say so and end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.fakes import draw
from tests.helpers.limits import limited

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs ulimit")


@pytest.mark.parametrize("megabytes", [250, 380, 600, 850])
@pytest.mark.parametrize("command", ["status", "query", "ingest", "--help"])
def test_a_command_works_or_says_what_is_missing(
    command: str, megabytes: int, tmp_path: Path
) -> None:
    draw(tmp_path / "images" / "red.png")
    arguments = {"query": ["red"], "ingest": [str(tmp_path / "images")]}.get(command, [])
    uri = [] if command == "--help" else ["--uri", str(tmp_path / "images.db")]
    done = subprocess.run(
        limited(
            "-v",
            megabytes * 10**6 // 1024,  # in KiB
            [sys.executable, "-m", "clipsearch", command, *arguments, *uri],
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    if command == "--help":
        assert done.returncode == 0
    elif command == "ingest":
        assert done.returncode == 1
        assert "not enough memory to" in done.stderr
        assert "raise `ulimit -v`" in done.stderr
    else:  # there is no store
        assert done.returncode in (0, 1)
