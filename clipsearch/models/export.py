"""Export a model to OpenVINO, check the export, and open it again later."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import ModelError
from clipsearch.interrupt import check_interrupt
from clipsearch.models import export_cache, hub
from clipsearch.models.base import Encoder
from clipsearch.models.calibration_images import SampleImages, draw_images
from clipsearch.models.export_cache import ExportRecord
from clipsearch.models.export_check import PROMPTS, embed_test_inputs, min_cosine
from clipsearch.models.export_source import ExportableEncoder, ExportSource, NotExportableError
from clipsearch.models.exported_model import ExportedModel
from clipsearch.models.model_name import ModelRef
from clipsearch.models.openvino_encoder import COMPILED, IMAGE, TEXT, OpenVinoEncoder, padded
from clipsearch.models.openvino_runtime import has_int8, save_graph
from clipsearch.models.runtime import Runtime
from clipsearch.temporary_folder import TemporaryFolder

log = logging.getLogger("clipsearch")

ON_CPU = Runtime("cpu", "torch", "fp32")

MIN_COSINE = 0.99999
"""The smallest cosine allowed between vectors of the conversion and of the model itself."""


def open_or_export(
    ref: ModelRef,
    precision: str,
    load: Callable[[Runtime], ExportableEncoder],
    sample: SampleImages | None = None,
) -> Encoder:
    """Open a model on OpenVINO, converting it if needed; on torch if that fails.

    `load` loads the model on torch, which a converted model does not need. `sample` returns images
    of the user, for int8. The log reports the conversion, and why a model cannot be converted.
    """
    name = _record_name(ref)
    record = export_cache.load_record(name)
    if record is None or (record.key and export_cache.manifest(record.key) is None):
        began = time.time_ns()
        on_torch = load(ON_CPU)
        check_interrupt()
        try:
            record = _export(ref, on_torch)
            sources = on_torch.sources
            # A file of a folder that changed meanwhile may not be the one that was read.
            if not (ref.folder and any(_changed_ns(path) >= began for path in sources)):
                export_cache.save_record(name, sources, record)
        except (OSError, MemoryError) as error:
            record = ExportRecord(reason=f"the conversion {export_cache.describe_failure(error)}")
        if not record.key and precision not in ("bf16", "int8") and ref.family != "onnx":
            _log_reason(ref, record)
            return on_torch
    if not record.key and ref.family == "onnx":
        raise ModelError(f"model {ref.name} cannot be used: {record.reason}")
    if not record.key and precision == "int8":
        raise ModelError(
            f"model {ref.name} cannot compute in int8: {record.reason}; use --precision auto"
        )
    if not record.key:
        _log_reason(ref, record)
        return load(Runtime("cpu", "torch", "bf16" if precision == "bf16" else "fp32"))
    return ExportedModel(ref, record.key, partial(load, ON_CPU), sample).open(precision)


def find_exported(ref: ModelRef) -> ExportedModel | None:
    """The conversion of a model; None if it would have to be loaded and converted first."""
    record = export_cache.load_record(_record_name(ref))
    if record is None or not record.key or export_cache.manifest(record.key) is None:
        return None
    return ExportedModel(ref, record.key)


def is_converted(ref: ModelRef) -> bool:
    """Whether a model opens without being loaded and converted."""
    return find_exported(ref) is not None


def would_calibrate(ref: ModelRef, precision: str) -> bool:
    """Whether opening a model in a precision of `Runtime` makes its int8 version, unless it fails.

    Loads neither the model nor OpenVINO.
    """
    if precision not in ("auto", "int8") or (precision == "auto" and not has_int8()):
        return False
    folder = export_cache.folder()
    if folder.exists() and not os.access(folder, os.W_OK):
        return False
    record = export_cache.load_record(_record_name(ref))
    if record is None:  # it would be converted first
        return True
    return bool(record.key) and not ExportedModel(ref, record.key).has_int8


def _record_name(ref: ModelRef) -> str:
    # A hub name means the repository's state in the hub's cache; a user may have several caches.
    return ref.name if ref.folder else f"{ref.name} in {hub.cache_folder()}"


def _log_reason(ref: ModelRef, record: ExportRecord) -> None:
    log.info("model %s runs on torch, which is slower: %s", ref.name, record.reason)


def _export(ref: ModelRef, encoder: ExportableEncoder) -> ExportRecord:
    """Convert a loaded model unless the cache has it; raises OSError if it cannot be saved."""
    identity = encoder.identity
    try:
        source = encoder.export_source()
        key = export_cache.key(
            identity.weights,
            identity.preprocessing,
            source.description,
            _tokenizer_hash(source),
            json.dumps(export_cache.versions(), sort_keys=True),
        )
        if export_cache.manifest(key) is None:
            log.info("converting model %s for OpenVINO, once (up to a minute) …", ref.name)
            start = time.monotonic()
            export_cache.publish(key, lambda folder: _build(folder, encoder, source))
            seconds = time.monotonic() - start
            log.info("converted in %.0f s, saved in %s", seconds, export_cache.folder() / key)
        # Also if a kill came between the two.
        ExportedModel(ref, key).open("fp32").save_compiled(PROMPTS, draw_images(2))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the model's own code may raise anything
        check_interrupt()
        reason = " ".join(str(error).split()) or type(error).__name__
        return ExportRecord(reason=reason if len(reason) <= 240 else f"{reason[:240]}…")
    return ExportRecord(key=key)


def _tokenizer_hash(source: ExportSource) -> str:
    with TemporaryFolder() as folder:
        fields = source.save_tokenizer(folder)
        total = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
        for path in sorted(folder.iterdir()):
            total.update(path.read_bytes())
    return total.hexdigest()


def _build(folder: Path, encoder: ExportableEncoder, source: ExportSource) -> dict[str, Any]:
    """Write a conversion into a folder, verify it, and return its manifest."""
    identity = encoder.identity
    tokenizer = dict(source.save_tokenizer(folder))
    if source.save_graphs:
        source.save_graphs(folder)
    else:
        _trace(folder, source)
    manifest: dict[str, Any] = {
        "name": identity.name,
        "dim": identity.dim,
        "weights": identity.weights,
        "described": identity.preprocessing,
        "logit_scale": encoder.logit_scale,
        "has_patches": bool(getattr(encoder, "has_patches", False)),
        "preprocessing": asdict(source.preprocessing),
        "tokenizer": tokenizer,
        "context": source.context,
        "padding": source.padding,
        "masked": source.masked,
        "own_length": source.own_length,
        "int8": "",
    }
    exported = OpenVinoEncoder(folder, manifest, name=identity.name)
    cosine = min_cosine(embed_test_inputs(exported), embed_test_inputs(encoder))
    if cosine < MIN_COSINE:
        raise NotExportableError(f"the converted model's vectors differ (cosine {cosine:.6f})")
    # Created last: what OpenVINO would save here now is valid for this temporary path only.
    (folder / COMPILED).mkdir()
    return manifest


def _trace(folder: Path, source: ExportSource) -> None:
    """Write the graphs of a model's torch modules."""
    from clipsearch.models.library_output import quiet
    from clipsearch.models.torch_runtime import tracing

    height, width = source.preprocessing.crop
    # Traced on sizes other than 1, which torch would treat as constant.
    length = 9 if source.own_length else source.context
    ids, mask = padded([[1] * length, [1] * (length - 2)], length, source.padding)
    shape = (-1, -1 if source.own_length else source.context)
    with quiet(), tracing() as tensor:
        pixels = tensor(np.zeros((2, 3, height, width), np.float32))
        save_graph(folder / IMAGE, source.image, [pixels], [(-1, 3, height, width)])
        texts = [tensor(ids), tensor(mask)] if source.masked else [tensor(ids)]
        save_graph(folder / TEXT, source.text, texts, [shape] * len(texts))


def _changed_ns(path: Path) -> int:
    try:
        stat = path.stat()
    except OSError:
        return 0
    return max(stat.st_mtime_ns, stat.st_ctime_ns)
