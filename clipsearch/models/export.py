"""Converts a model once per user, checks that it says the same as before, and opens it ever after."""

import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import ModelError, VectorError
from clipsearch.models import export_cache, hub
from clipsearch.models.base import Encoder
from clipsearch.models.export_check import PROMPTS, synthetic_images
from clipsearch.models.export_source import ExportableEncoder, ExportSource, NotExportableError
from clipsearch.models.model_name import ModelRef
from clipsearch.models.openvino_encoder import COMPILED, IMAGE, TEXT, OpenVinoEncoder, padded
from clipsearch.models.openvino_runtime import compress, has_bf16, save_graph
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

ON_CPU = Runtime("cpu", "torch", "fp32")

# The smallest cosine that a converted model's vectors may have to torch's, on the probes.
COSINES = {"fp32": 0.99999, "bf16": 0.999, "int8": 0.99}


def open_or_export(
    ref: ModelRef, precision: str, load: Callable[[Runtime], ExportableEncoder]
) -> Encoder:
    """The model on OpenVINO, converted now unless it has been; on torch where that cannot be done.

    `load` makes torch's encoder, which a model that has been converted does not need. The log tells
    what takes long, and what could not be done.
    """
    # A name of the hub means what lies in its cache, of which a user may have several.
    name = ref.name if ref.folder else f"{ref.name} in {hub.cache_folder()}"
    known = export_cache.recall(name)
    if known is None or (known.key and export_cache.manifest(known.key) is None):
        began = time.time_ns()
        on_torch = load(ON_CPU)
        try:
            known = _converted(ref, on_torch)
            sources = on_torch.sources
            # A folder's file that changed meanwhile may be another than the one that was read.
            if not (ref.folder and any(_changed(path) >= began for path in sources)):
                export_cache.remember(name, sources, known)
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "out of memory"
            known = export_cache.Known(
                reason=f"{export_cache.folder()} takes no conversion ({reason})"
            )
        if not known.key and precision != "bf16":
            _tell_why(ref, known)
            return on_torch
    if not known.key:
        _tell_why(ref, known)
        return load(Runtime("cpu", "torch", "bf16" if precision == "bf16" else "fp32"))
    key = _compressed(ref, known.key) if precision == "int8" else known.key
    return _open(ref, key, precision, partial(load, ON_CPU))


def _open(
    ref: ModelRef, key: str, precision: str, on_torch: Callable[[], ExportableEncoder] | None = None
) -> OpenVinoEncoder:
    manifest = export_cache.manifest(key)
    if manifest is None:
        raise ModelError(f"{export_cache.folder() / key} has lost files: delete it, and try again")
    export_cache.touch(key)
    if precision == "bf16" and has_bf16() and not manifest["bf16"]:
        log.info("model %s computes in float32: bfloat16 turns its vectors", ref.name)
    return OpenVinoEncoder(
        export_cache.folder() / key, manifest, name=ref.name, precision=precision, on_torch=on_torch
    )


def _tell_why(ref: ModelRef, known: export_cache.Known) -> None:
    log.info("model %s runs on torch, which takes longer: %s", ref.name, known.reason)


def _converted(ref: ModelRef, encoder: ExportableEncoder) -> export_cache.Known:
    """Convert a loaded model unless somebody did; raises OSError where it cannot be kept."""
    identity = encoder.identity
    try:
        parts = encoder.parts()
        tokenizer = _digest_of_tokenizer(parts)
        key = export_cache.key(
            identity.weights, identity.preprocessing, parts.description, tokenizer
        )
        if export_cache.manifest(key) is None:
            log.info("converting model %s for OpenVINO, once (up to a minute) …", ref.name)
            start = time.monotonic()
            export_cache.publish(key, lambda folder: _build(folder, encoder, parts))
            _open(ref, key, "auto").keep_compiled(PROMPTS)
            seconds = time.monotonic() - start
            log.info("converted in %.0f s, and kept in %s", seconds, export_cache.folder() / key)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - a model's own code runs here, which may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        return export_cache.Known(reason=reason if len(reason) <= 240 else f"{reason[:240]}…")
    return export_cache.Known(key=key)


def _digest_of_tokenizer(parts: ExportSource) -> str:
    with tempfile.TemporaryDirectory() as name:
        described = parts.save_tokenizer(Path(name))
        whole = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for path in sorted(Path(name).iterdir()):
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _build(folder: Path, encoder: ExportableEncoder, parts: ExportSource) -> dict[str, Any]:
    """Write a conversion into a folder and return its manifest, once it has proved right."""
    from clipsearch.models.loading import quiet
    from clipsearch.models.torch_runtime import tracing

    identity = encoder.identity
    tokenizer = dict(parts.save_tokenizer(folder))
    height, width = parts.preprocessing.crop
    # Traced on other sizes than 1, which torch would take for fixed.
    length = 9 if parts.own_length else parts.context
    ids, mask = padded([[1] * length, [1] * (length - 2)], length, parts.padding)
    shape = (-1, -1 if parts.own_length else parts.context)
    with quiet(), tracing() as tensor:
        pixels = tensor(np.zeros((2, 3, height, width), np.float32))
        save_graph(folder / IMAGE, parts.image, [pixels], [(-1, 3, height, width)])
        texts = [tensor(ids), tensor(mask)] if parts.masked else [tensor(ids)]
        save_graph(folder / TEXT, parts.text, texts, [shape] * len(texts))
    manifest: dict[str, Any] = {
        "name": identity.name,
        "dim": identity.dim,
        "weights": identity.weights,
        "described": identity.preprocessing,
        "logit_scale": encoder.logit_scale,
        "has_patches": bool(getattr(encoder, "has_patches", False)),
        "preprocessing": asdict(parts.preprocessing),
        "tokenizer": tokenizer,
        "context": parts.context,
        "padding": parts.padding,
        "masked": parts.masked,
        "own_length": parts.own_length,
        "bf16": False,
        "int8": False,
    }
    expected = _probe(encoder)
    found = _probe(OpenVinoEncoder(folder, manifest, name=identity.name, precision="fp32"))
    if (cosine := _cosine(found, expected)) < COSINES["fp32"]:
        raise NotExportableError(f"converted, its vectors differ (cosine {cosine:.6f})")
    if has_bf16():
        tried = manifest | {"bf16": True}
        fast = _probe(OpenVinoEncoder(folder, tried, name=identity.name, precision="bf16"))
        manifest["bf16"] = _cosine(fast, expected) >= COSINES["bf16"]
    (folder / COMPILED).mkdir()  # only now: what is found out here counts for another path
    return manifest


def _compressed(ref: ModelRef, key: str) -> str:
    """The key of a conversion's form with weights of 8 bits, made now unless it has been.

    Raises ModelError where that would turn the vectors.
    """
    small = export_cache.key(key, "int8")
    if export_cache.manifest(small) is None:
        log.info("model %s: rounding its weights to 8 bits, once …", ref.name)
        full = _open(ref, key, "fp32")

        def build(folder: Path) -> dict[str, Any]:
            manifest = dict(export_cache.manifest(key) or {}) | {"int8": True}
            for name in (IMAGE, TEXT):
                compress(export_cache.folder() / key / name, folder / name)
            for file in ("tokenizer.json", "merges.json"):
                if file in manifest["files"]:
                    (folder / file).write_bytes((export_cache.folder() / key / file).read_bytes())
            rounded = OpenVinoEncoder(folder, manifest, name=ref.name, precision="int8")
            if (cosine := _cosine(_probe(rounded), _probe(full))) < COSINES["int8"]:
                raise ModelError(
                    f"model {ref.name} turns its vectors with weights of 8 bits (cosine "
                    f"{cosine:.4f}): take --precision bf16"
                )
            (folder / COMPILED).mkdir()
            return manifest

        export_cache.publish(small, build)
        _open(ref, small, "int8").keep_compiled(PROMPTS)
    return small


def _probe(encoder: Encoder) -> Vectors:
    """The vectors of the probes, (n, d) float32: pictures, then texts."""
    pixels = [encoder.preprocess(picture) for picture in synthetic_images()]
    return np.concatenate([encoder.encode_images(pixels), encoder.encode_texts(PROMPTS)])


def _cosine(found: Vectors, expected: Vectors) -> float:
    """The smallest cosine between rows of the same number; -1 if one has no direction.

    Except where none is expected: some models make nothing of an empty text.
    """
    usable = np.isfinite(expected).all(axis=1) & np.any(expected, axis=1)
    try:
        return float(np.sum(normalize(found[usable]) * normalize(expected[usable]), axis=1).min())
    except VectorError:
        return -1.0


def _changed(path: Path) -> int:
    try:
        stat = path.stat()
    except OSError:
        return 0
    return max(stat.st_mtime_ns, stat.st_ctime_ns)
