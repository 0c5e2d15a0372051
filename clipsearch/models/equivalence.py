"""Whether an encoder's vectors can be compared with those of a collection.

An open_clip model and its ONNX export have different files, and so different weights hashes, but
equal vectors. They are compared once, where both are on the machine.
"""

import json
import logging
from contextlib import suppress

from clipsearch.cache import atomic_write, make_cache_folder
from clipsearch.models import export_cache
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.export_check import embed_test_inputs, min_cosine
from clipsearch.models.openvino_encoder import OpenVinoEncoder

log = logging.getLogger("clipsearch")

ONNX = "onnx-"
"""Prefix of the weights hash of an ONNX export."""

MIN_COSINE = 0.999
"""The smallest cosine between vectors of a model and of its export, on test inputs."""


def difference(encoder: Encoder, made_by: ModelIdentity) -> str:
    """Why vectors of `encoder` and of `made_by` cannot be compared, as half a sentence, or ""."""
    actual = encoder.identity
    if actual.is_comparable(made_by):
        return ""
    if not _have_one_source(actual, made_by):
        return (
            f"with other weights or preprocessing ({made_by.weights[:12]}, now "
            f"{actual.weights[:12]})"
        )
    cosine = _cosine(encoder, made_by)
    if cosine is None:
        log.info("%s and its ONNX export count as equal: only one of them is here", actual.name)
        return ""
    if cosine >= MIN_COSINE:
        return ""
    return f"with other files, whose vectors differ from those here (cosine {cosine:.4f})"


def _have_one_source(one: ModelIdentity, other: ModelIdentity) -> bool:
    """Whether both claim to be one open_clip model, and at least one is an ONNX export of it."""
    return (one.name, one.dim, one.preprocessing) == (
        other.name,
        other.dim,
        other.preprocessing,
    ) and (one.weights.startswith(ONNX) or other.weights.startswith(ONNX))


def _cosine(encoder: Encoder, made_by: ModelIdentity) -> float | None:
    """The smallest cosine to the model that made a collection; None if that is not here."""
    pair = sorted((encoder.identity.weights, made_by.weights))
    file = export_cache.folder() / "equal" / f"{export_cache.key(*pair)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # not compared yet
        return float(json.loads(file.read_text("utf-8"))["cosine"])
    other = _conversion(made_by)
    if other is None:
        return None
    # In float32 where possible: rounding to 8 bits is not a difference of the weights.
    here = _conversion(encoder.identity) or encoder
    cosine = min_cosine(embed_test_inputs(here), embed_test_inputs(other))
    log.info("%s: the smallest cosine to its ONNX export is %.6f", made_by.name, cosine)
    with suppress(OSError):  # a read-only cache
        make_cache_folder(file.parent)
        with atomic_write(file) as temporary:
            text = json.dumps({"weights": pair, "cosine": cosine})
            temporary.write_text(text, encoding="utf-8")
    return cosine


def _conversion(model: ModelIdentity) -> Encoder | None:
    """A converted model of these weights in the cache."""
    with suppress(OSError):
        for path in export_cache.folder().iterdir():
            manifest = export_cache.manifest(path.name)
            if manifest and not manifest["int8"] and manifest["weights"] == model.weights:
                return OpenVinoEncoder(path, manifest, name=model.name)
    return None
