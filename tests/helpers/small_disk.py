"""A small disk of its own for a test: a tmpfs in a private mount namespace of a child process."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Root needs no user namespace, and containers often forbid one; others need it.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


@cache
def private_mounts() -> list[str] | None:
    """The command that gives a process mounts of its own; None if this machine allows none."""
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("mount") is None:
        return None
    for command in NAMESPACES:
        test = [*command, "mount", "-t", "tmpfs", "test", "/mnt"]
        if subprocess.run(test, capture_output=True, check=False).returncode == 0:
            return command
    return None


def run_with_mounts(
    script: str, *arguments: str | Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a Python script that may mount; skip the test if this machine does not let it."""
    command = private_mounts()
    if command is None:
        pytest.skip("needs a mount namespace (root, or user namespaces)")
    return subprocess.run(
        [*command, sys.executable, "-c", MOUNT + script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


MOUNT = """
import shutil, subprocess, sys
from pathlib import Path

def mount(folder, kilobytes):
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "disk", str(folder)], check=True
    )

def resize(folder, kilobytes):
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)

def fill(folder):
    with (Path(folder) / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass
    assert shutil.disk_usage(folder).free == 0

def run(*arguments, **options):
    command = [sys.executable, "-m", "clipsearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, **options)
"""
"""Functions that start each script."""
