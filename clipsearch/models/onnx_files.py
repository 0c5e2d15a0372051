"""The files of an ONNX export, in a folder or on the hub."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.model_name import ModelRef

# The two towers as immich-app and as rclip lay them out.
TOWERS = (("visual/model.onnx", "textual/model.onnx"), ("visual.onnx", "textual.onnx"))
TOKENIZERS = (
    "textual/tokenizer.json",
    "tokenizer.json",
    "tokenizer/bpe_simple_vocab_16e6.txt.gz",
    "../tokenizer/bpe_simple_vocab_16e6.txt.gz",
)
"""Where the tokenizer is, from the folder of the export; the last one serves several exports."""

_OTHER_RUNTIMES = ("*.armnn", "*.rknn", "*.mlpackage/*", "*/fp16/*")
_METADATA = (".json", ".txt", ".model", ".md", ".gz")

_CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
_PREPROCESSING = {"ViT-B-32-256/datacomp_s34b_b86k": _CLIP | {"size": 256}}
"""Preprocessing of models whose published export does not state it."""


@dataclass(frozen=True, slots=True)
class OnnxFiles:
    """The towers, the tokenizer and the settings of an export.

    `weights` are the files that determine the vectors, `sources` all that a change may affect.
    `architecture` is open_clip's config of the model, and `preprocessing` its `preprocess_cfg`.
    """

    image: Path
    text: Path
    tokenizer: Path
    weights: Sequence[Path]
    sources: Sequence[Path]
    architecture: Mapping[str, Any]
    preprocessing: Mapping[str, Any]


def find_files(ref: ModelRef) -> OnnxFiles:
    """Find the files of an export, downloading them if needed.

    Raises ModelError if a file is missing or damaged, or if the hub does not offer the export.
    """
    folder = ref.folder or _download(ref)
    if not folder.is_dir():
        raise ModelError(f"model {ref.name}: there is no folder {folder}")
    for image, text in TOWERS:
        if (folder / image).is_file() and (folder / text).is_file():
            return _read(ref, folder, folder / image, folder / text)
    raise ModelError(
        f"model {ref.name}: {folder} has neither {' and '.join(TOWERS[0])} nor "
        f"{' and '.join(TOWERS[1])}"
    )


def is_local(ref: ModelRef) -> bool:
    """Whether the towers of an export are on this machine."""
    if ref.folder:
        return any(all((ref.folder / name).is_file() for name in names) for names in TOWERS)
    return any(
        all(hub.cached_file(ref.repo, [_in_repo(ref, name)]) for name in names) for names in TOWERS
    )


def _download(ref: ModelRef) -> Path:
    from clipsearch.models.library_output import loading

    hub.require(ref.name, ref.repo, [_in_repo(ref, names[0]) for names in TOWERS])
    patterns = [_in_repo(ref, name) for name in ("*", "visual/*", "textual/*")]
    with loading(ref.name, hint="try again online, or use another --model"):
        snapshot = hub.download(ref.repo, allow=[*patterns, "tokenizer/*"], ignore=_OTHER_RUNTIMES)
    return snapshot / ref.subfolder


def _in_repo(ref: ModelRef, name: str) -> str:
    return f"{ref.subfolder}/{name}" if ref.subfolder else name


def _read(ref: ModelRef, folder: Path, image: Path, text: Path) -> OnnxFiles:
    tokenizer = next((folder / name for name in TOKENIZERS if (folder / name).is_file()), None)
    if tokenizer is None:
        raise ModelError(f"model {ref.name}: {folder} has no {TOKENIZERS[0]}")
    # Weights above 2 GB are in files beside the graph, under names that the exporter chooses.
    folders = [folder] if image.parent == folder else [image.parent, text.parent]
    weights = [path for part in folders for path in _files(part) if path.suffix not in _METADATA]
    sources = [*weights, tokenizer, *sorted(folder.glob("*.json")), *image.parent.glob("*.json")]
    return OnnxFiles(
        image=image,
        text=text,
        tokenizer=tokenizer,
        weights=weights,
        sources=sources if ref.folder else [*sources, hub.revision_file(ref.repo)],
        architecture=_json(ref, folder / "config.json") or {},
        preprocessing=_preprocessing(ref, image.parent / "preprocess_cfg.json"),
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _preprocessing(ref: ModelRef, path: Path) -> Mapping[str, Any]:
    config = _json(ref, path) or _PREPROCESSING.get(ref.open_clip_name)
    if config is None:
        raise ModelError(f"model {ref.name}: {path} is missing: it says how images are resized")
    if missing := [key for key in ("size", "mean", "std") if not config.get(key)]:
        raise ModelError(f"model {ref.name}: {path} does not state {' and '.join(missing)}")
    return {"interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0} | dict(config)


def _json(ref: ModelRef, path: Path) -> Mapping[str, Any] | None:
    """The object in a file; None if there is no such file."""
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text("utf-8"))
        fields.get("")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"model {ref.name}: {path} is damaged ({error})") from error
    result: Mapping[str, Any] = fields
    return result
