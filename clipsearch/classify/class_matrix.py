"""Class matrix: one vector per label, the average of its prompts' embeddings."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.batching import batches
from clipsearch.cache import ArrayCache, content_key
from clipsearch.classify.labels import check_labels
from clipsearch.classify.predictions import softmax
from clipsearch.classify.templates import DEFAULT_TEMPLATES, fill_template, resolve_templates
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import BATCH, embed_texts
from clipsearch.models.text_loss import text_warnings
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

CACHE = ArrayCache("classes")
VERSION = 3
"""Of the cached arrays and their computation; part of the cache key."""

MANY_PROMPTS = 1_000
"""From this number on, embedding takes long enough to log it."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatrix:
    """A zero-shot classifier: (k, d) `vectors` of length 1, one for each label.

    `scale` is the model's logit scale, the factor of the cosines. `warnings` say what the model
    ignores of the labels; they are logged, too.
    """

    labels: tuple[str, ...]
    vectors: Vectors
    scale: float
    warnings: tuple[str, ...] = ()

    def probabilities(self, vectors: Vectors) -> Vectors:
        """(n, d) float32 rows of length 1 to (n, k): softmax of scale × cosine."""
        return softmax(self.scale * (vectors @ self.vectors.T).astype(np.float64))


def build_class_matrix(
    labels: Sequence[str],
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    *,
    model: ModelIdentity,
    encoder: Callable[[], Encoder],
    cached: bool = True,
) -> ClassMatrix:
    """The class matrix of some labels, from the user's cache or embedded by `encoder`.

    `templates` are sentences ("a photo of a {}") and names of built-in sets. `model` is the
    identity of the encoder, which is only loaded if the cache has no matrix. Raises UsageError as
    `check_labels` and `resolve_templates` do.
    """
    labels, templates = check_labels(labels), resolve_templates(templates)
    key = _cache_key(model, labels, templates)
    if cached and (stored := _load_cached(key, (len(labels), model.dim))):
        vectors, scale, warnings = stored
        _log_all(warnings)
        return ClassMatrix(labels, vectors, scale, tuple(warnings))
    loaded = encoder()
    _log_all(warnings := text_warnings(loaded, labels))
    prompt_count = len(labels) * len(templates)
    if prompt_count > MANY_PROMPTS:
        log.info("embedding %s prompts, which are cached", f"{prompt_count:,}")
    vectors = embed_labels(labels, templates, loaded)
    matrix = ClassMatrix(labels, vectors, loaded.logit_scale, tuple(warnings))
    if cached:
        arrays = {
            "vectors": matrix.vectors,
            "scale": np.array(matrix.scale),
            "warnings": np.array(warnings, dtype=str),
        }
        CACHE.save(key, arrays)
    return matrix


def embed_labels(labels: Sequence[str], templates: Sequence[str], encoder: Encoder) -> Vectors:
    """Average each label's prompts: (k, d) float32 of length 1.

    The prompts' embeddings are normalized before they are averaged, and the average is normalized
    again: an ensemble in embedding space (Radford et al. 2021, section 3.1.4).
    """
    rows = []
    for batch in batches(labels, max(1, BATCH // len(templates))):
        prompts = [fill_template(template, label) for label in batch for template in templates]
        vectors = embed_texts(encoder, prompts)
        rows.append(vectors.reshape(len(batch), len(templates), -1).mean(axis=1))
    return normalize(np.concatenate(rows))


def _cache_key(model: ModelIdentity, labels: Sequence[str], templates: Sequence[str]) -> str:
    # The preprocessing implies the activation function, which the weights do not determine.
    return content_key(VERSION, model.dim, model.weights, model.preprocessing, labels, templates)


def _log_all(warnings: Sequence[str]) -> None:
    for warning in warnings:
        log.warning("%s", warning)


def _load_cached(key: str, shape: tuple[int, int]) -> tuple[Vectors, float, list[str]] | None:
    """Return the (k, d) vectors, the scale and the warnings, or None if missing or damaged."""
    stored = CACHE.load(key)
    if stored is None or stored.keys() != {"vectors", "scale", "warnings"}:
        return None
    vectors, scale = stored["vectors"], stored["scale"]
    if vectors.shape != shape or vectors.dtype != np.float32 or scale.shape != ():
        return None
    if not 0 < scale < np.inf or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        return None
    return vectors, float(scale), list(map(str, stored["warnings"]))
