"""Every benchmark explains itself and its options."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "benchmarks").rglob("*.py")
    if path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text("utf-8")
)


def test_there_are_benchmarks() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_help_describes_the_benchmark_and_each_option(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "300", "PATH": "", "HOME": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    usage, _, rest = done.stdout.partition("\n\n")
    assert usage.startswith("usage: ")
    assert not rest.startswith(("options:", "positional arguments:")), "no description"
    options = re.findall(r"^  (-.*(?:\n {9,}\S.*)?)$", rest, re.MULTILINE)
    assert options
    undescribed = [line for line in options if not re.search(r"\S\s{2,}\S", line)]
    assert not undescribed
