"""Open ONNX exports, and find one that can take the place of an open_clip model."""

import json
import logging
from contextlib import suppress
from pathlib import Path

from clipsearch import config
from clipsearch.cache import atomic_write, make_cache_folder
from clipsearch.errors import ModelError
from clipsearch.images.hashing import content_hash
from clipsearch.models import onnx_files
from clipsearch.models.base import Encoder
from clipsearch.models.calibration_images import SampleImages
from clipsearch.models.export import is_converted, open_or_export
from clipsearch.models.model_name import ModelRef, parse_model_name
from clipsearch.models.onnx import OnnxEncoder
from clipsearch.models.onnx_names import EXPORTS
from clipsearch.models.runtime import Runtime

log = logging.getLogger("clipsearch")


def open_export(ref: ModelRef, runtime: Runtime, sample: SampleImages | None = None) -> Encoder:
    """Open an export on OpenVINO; download and convert it at its first use.

    `sample` returns images of the user, on which an int8 version is calibrated. Raises ModelError
    if it cannot be used, or if `runtime` names torch or a GPU.
    """
    if runtime.runtime == "torch" or runtime.device not in ("auto", "cpu"):
        raise ModelError(f"model {ref.name} runs on OpenVINO only: omit the device and the runtime")
    encoder = open_or_export(ref, runtime.precision, lambda _: OnnxEncoder(ref), sample)
    if ref.open_clip_name:
        _remember(ref)
    return encoder


def published_export(name: str) -> ModelRef | None:
    """The published export of an open_clip model, by the name of that; None if there is none."""
    return parse_model_name(EXPORTS[name]) if name in EXPORTS else None


def local_export(name: str) -> ModelRef | None:
    """An export of an open_clip model that is on this machine: the last one used, or another."""
    for ref in (_recall(name), published_export(name)):
        if ref and (is_converted(ref) or onnx_files.is_local(ref)):
            return ref
    return None


def _remember(ref: ModelRef) -> None:
    """Save which export an open_clip model has, so that a collection finds it by that name."""
    if _recall(ref.open_clip_name) == ref:
        return
    file = _file(ref.open_clip_name)
    with suppress(OSError):  # a read-only cache
        make_cache_folder(file.parent)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps({"export": ref.name}), encoding="utf-8")


def _recall(name: str) -> ModelRef | None:
    try:
        return parse_model_name(json.loads(_file(name).read_text("utf-8"))["export"])
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None


def _file(name: str) -> Path:
    return config.cache_folder() / "onnx-exports" / f"{content_hash(name.encode())[:32]}.json"
