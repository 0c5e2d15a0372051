"""Other search tools, with the same weights, each in an environment of its own.

Environments and models are made once, under `.cache/benchmarks`.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from benchmarks.speed.random_checkpoint import CACHE, require
from clipsearch import cpu

RCLIP = "rclip==3.3.0"
CLIP_RETRIEVAL = ("clip-retrieval==2.45.0", "setuptools<81")  # it imports pkg_resources

# Machine code for x86-64: "xor ecx, ecx; xgetbv", and "xor ecx, ecx; mov al, 7; nop".
ASK_REGISTERS = bytes.fromhex("31c9 0f01d0")
UP_TO_AVX2 = bytes.fromhex("31c9 b00790")


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: the interpreter of its environment, and the environment variables that it needs."""

    python: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        """Run in a folder and return the output; exits with the end of stderr if it fails."""
        process = subprocess.run(
            [str(self.python), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": "", **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            sys.exit(f"{arguments} ended with {process.returncode}:\n{process.stderr[-2000:]}")
        return process.stdout

    def start(self, *arguments: str, output: TextIO) -> "subprocess.Popen[str]":
        """Start a program that writes into an open file; the caller ends it."""
        return subprocess.Popen(
            [str(self.python), *arguments],
            env={**os.environ, "PYTHONPATH": "", **self.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def install_rclip() -> Peer:
    """Install rclip with our weights: it loads ONNX models from its data folder, not from a hub.

    Under `--isa avx2`, it is another environment, whose ONNX Runtime does not use AVX-512. Exits
    with the command to run if a package for the ONNX export is missing.
    """
    data = CACHE / "rclip-data"
    model = data / "ViT-B-32-256-datacomp_s34b_b86k"
    if not model.is_dir():
        require("onnx")
        require("open_clip")
        from benchmarks.speed.onnx_export import export_onnx

        export_onnx(model)
    # Newer versions look for the vocabulary here.
    shutil.copytree(model / "tokenizer", data / "tokenizer", dirs_exist_ok=True)
    environment = {"RCLIP_DATADIR": str(data), "HF_HUB_OFFLINE": "1"}
    if not os.environ.get(cpu.LIMITS[0], "").startswith("AVX2"):
        return Peer(_install("rclip", RCLIP), environment)
    python = _install("rclip-avx2", RCLIP)
    _hide_avx512(python.parents[1])
    return Peer(python, environment)


def install_clip_retrieval() -> Peer:
    """Install clip-retrieval, which takes a file of weights as the name of a checkpoint."""
    return Peer(_install("clip-retrieval", *CLIP_RETRIEVAL), {"HF_HUB_OFFLINE": "1"})


def _hide_avx512(environment: Path) -> None:
    """Change an environment's ONNX Runtime so that it does not find AVX-512; again has no effect.

    It has no setting for that. It asks the system which registers are saved (XGETBV 0), and
    takes AVX-512 only if theirs are. Now the answer is always: those up to AVX2. Exits if the
    library is built differently.
    """
    for library in environment.glob("lib/python*/site-packages/onnxruntime/capi/*pybind11*.so"):
        code = library.read_bytes()
        changed = code.replace(ASK_REGISTERS, UP_TO_AVX2)
        if UP_TO_AVX2 in changed:
            library.write_bytes(changed)
            return
    sys.exit(f"the ONNX Runtime in {environment} cannot be limited to AVX2")


def _install(name: str, *requirements: str) -> Path:
    """Install into a new virtual environment, once; returns its interpreter."""
    folder = CACHE / f"env-{name}"
    python = folder / "bin" / "python"
    if not (folder / "done").is_file():
        print(f"installing {requirements[0]} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *requirements]
        # Without it, pip would count the packages on this process's path as installed.
        subprocess.run(install, check=True, env={**os.environ, "PYTHONPATH": ""})
        (folder / "done").touch()
    return python
