"""Other search tools on the same machine with the same weights: environments and models for them.

Everything is made once, under `.cache/benchmarks`.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.random_checkpoint import CACHE, export_onnx

RCLIP = "rclip==3.3.0"
CLIP_RETRIEVAL = ("clip-retrieval==2.45.0", "setuptools<81")  # it imports pkg_resources


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool in an environment of its own."""

    python: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        """What it prints, run in a folder; ends the benchmark with its last words if it fails."""
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": "", **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout


def rclip() -> Peer:
    """Give rclip these weights: it reads ONNX graphs from its data folder, and so never asks a hub."""
    data = CACHE / "rclip-data"
    export_onnx(data / "ViT-B-32-256-datacomp_s34b_b86k")
    # Newer versions look for the vocabulary here.
    shutil.copytree(
        data / "ViT-B-32-256-datacomp_s34b_b86k" / "tokenizer",
        data / "tokenizer",
        dirs_exist_ok=True,
    )
    return Peer(_environment("rclip", RCLIP), {"RCLIP_DATADIR": str(data), "HF_HUB_OFFLINE": "1"})


def clip_retrieval() -> Peer:
    """clip-retrieval, which takes a file of weights as the name of a checkpoint."""
    return Peer(_environment("clip-retrieval", *CLIP_RETRIEVAL), {"HF_HUB_OFFLINE": "1"})


def _environment(name: str, *requirements: str) -> Path:
    folder = CACHE / f"env-{name}"
    python = folder / "bin" / "python"
    if not (folder / "done").is_file():
        print(f"installing {requirements[0]} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *requirements]
        # What this process finds elsewhere would count as installed there.
        subprocess.run(install, check=True, env={**os.environ, "PYTHONPATH": ""})
        (folder / "done").touch()
    return python
