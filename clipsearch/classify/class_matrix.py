"""Labels as vectors: one row for each, the average of its prompts."""

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
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

CACHE = ArrayCache("classes")
VERSION = 1
"""Of the cached arrays and of how they are computed; part of their key."""

MANY_PROMPTS = 1_000
"""More than this take long enough to be told of."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatrix:
    """A classifier by names alone: (k, d) `vectors` of length 1, one for each label.

    `scale` is what cosines are multiplied by, the model's own.
    """

    labels: tuple[str, ...]
    vectors: Vectors
    scale: float

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
    """The classes of some labels: from the user's cache, else embedded by `encoder` and kept there.

    `templates` are own ones ("a photo of a {}") and names of built-in sets. `model` is what the
    encoder will turn out to be: with a matrix in the cache no model is loaded at all. Raises
    UsageError as `check_labels` and `chosen_templates` do.
    """
    labels, templates = check_labels(labels), resolve_templates(templates)
    name = _cache_key(model, labels, templates)
    if cached and (stored := _load_cached(name, (len(labels), model.dim))):
        return ClassMatrix(labels, *stored)
    loaded = encoder()
    if len(labels) * len(templates) > MANY_PROMPTS:
        log.info("embedding %s prompts, once", f"{len(labels) * len(templates):,}")
    classes = ClassMatrix(labels, embed_labels(labels, templates, loaded), loaded.logit_scale)
    if cached:
        CACHE.save(name, {"vectors": classes.vectors, "scale": np.array(classes.scale)})
    return classes


def embed_labels(labels: Sequence[str], templates: Sequence[str], encoder: Encoder) -> Vectors:
    """Each label's prompts averaged, as (k, d) float32 of length 1.

    The prompts' embeddings have length 1 when they are averaged, and the average gets it again:
    an ensemble in the space of embeddings, so that it costs nothing later (Radford et al. 2021,
    section 3.1.4).
    """
    rows = []
    for part in batches(labels, max(1, BATCH // len(templates))):
        prompts = [fill_template(template, label) for label in part for template in templates]
        vectors = embed_texts(encoder, prompts)
        rows.append(vectors.reshape(len(part), len(templates), -1).mean(axis=1))
    return normalize(np.concatenate(rows))


def _cache_key(model: ModelIdentity, labels: Sequence[str], templates: Sequence[str]) -> str:
    # The preprocessing tells the activation function, which the weights do not.
    return content_key(VERSION, model.dim, model.weights, model.preprocessing, labels, templates)


def _load_cached(key: str, shape: tuple[int, int]) -> tuple[Vectors, float] | None:
    """Return the (k, d) vectors and the scale, or None if they are missing or damaged."""
    stored = CACHE.load(key)
    if stored is None or stored.keys() != {"vectors", "scale"}:
        return None
    vectors, scale = stored["vectors"], stored["scale"]
    if vectors.shape != shape or vectors.dtype != np.float32 or scale.shape != ():
        return None
    if not 0 < scale < np.inf or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        return None
    return vectors, float(scale)
