"""Explain why an image matches a text by a heat map and the contribution of each word."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.arguments import show
from clipsearch.errors import UsageError
from clipsearch.explain.occlusion import HeatMap, occlusion_map
from clipsearch.explain.patches import PatchEncoder, patch_map
from clipsearch.explain.scoring import RelevanceScorer
from clipsearch.explain.words import Contribution, word_contributions
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.runtime import Runtime
from clipsearch.models.text_loss import text_warnings
from clipsearch.query.embed import open_image
from clipsearch.query.image_input import ImageInput, to_content
from clipsearch.query.parser import Term

METHODS = ("auto", "occlusion", "patches")
JSON_CELLS = 16
"""Cells along the longer side of the heat map in JSON."""
SMALLEST_SIDE = 8
"""Images with a shorter side of fewer pixels are rejected."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where and through which words an image matches a text.

    `score` is the cosine of image and text. `heat_map` is (height, width) float32 in 0..1: 1 where
    the image matches the text most, compared with ordinary things (sky, walls, …), 0 where it
    matches no more than elsewhere. `words` is empty for a text of one word. `method` is "occlusion"
    or "patches". `warnings` say what the model ignores of the text.
    """

    query: str
    model: str
    method: str
    score: float
    image: Image.Image
    heat_map: HeatMap
    words: tuple[Contribution, ...]
    warnings: tuple[str, ...] = ()

    @property
    def peak(self) -> tuple[int, int]:
        """The x and y, in pixels of the image, of the highest value of the heat map."""
        height, width = self.heat_map.shape
        y, x = np.unravel_index(int(self.heat_map.argmax()), self.heat_map.shape)
        return (
            int((x + 0.5) * self.image.width / width),
            int((y + 0.5) * self.image.height / height),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-serializable values; the heat map as rows of at most JSON_CELLS cells a side."""
        factor = JSON_CELLS / max(self.heat_map.shape)
        height, width = (max(1, round(length * factor)) for length in self.heat_map.shape)
        coarse = Image.fromarray(self.heat_map).resize((width, height), Image.Resampling.BOX)
        x, y = self.peak
        return {
            "query": self.query,
            "model": self.model,
            "method": self.method,
            "score": round(self.score, 6),
            "peak": {"x": x, "y": y},
            "words": [
                {"word": word.word, "contribution": round(word.value, 6)} for word in self.words
            ],
            "heat_map": [[round(float(v), 3) for v in row] for row in np.asarray(coarse)],
            "warnings": list(self.warnings),
        }


def explain_match(
    query: str,
    image: ImageInput,
    *,
    model: str | Encoder = "auto",
    method: str = "auto",
    runtime: Runtime | None = None,
) -> Explanation:
    """Explain why an image matches a text: a heat map, and the contribution of each word.

    The method "occlusion" hides parts of the image and crops parts out of it. It works for every
    model and takes a few hundred encodings. "patches" compares the patches of a vision transformer
    with the text and takes about a dozen encodings. "auto" uses patches if the model supports them.

    Raises UsageError on an empty text, an unknown method, the method "patches" for a model without
    patch embeddings, and an image that is missing or too small; ImageError on a broken image.
    """
    if not isinstance(query, str):
        raise UsageError(f"the text must be a string, not {show(query)}")
    Term(query)  # raises UsageError on an invalid text query
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    pixels = open_image(to_content(image))
    if min(pixels.size) < SMALLEST_SIDE:
        raise UsageError(
            f"an image of {pixels.width} x {pixels.height} pixels is too small to explain: each "
            f"side needs at least {SMALLEST_SIDE} pixels"
        )
    encoder = _load(model, runtime, method) if isinstance(model, str) else model
    [text_vector] = embed_texts(encoder, [query])
    [image_vector] = embed_images(encoder, [pixels])
    scorer = RelevanceScorer.from_text(text_vector, encoder)
    if isinstance(encoder, PatchEncoder) and encoder.has_patches and method != "occlusion":
        used_method, relevance = "patches", patch_map(pixels, scorer, encoder)
    elif method == "patches":
        raise UsageError(
            f"{encoder.identity.name} has no patch embeddings: use the method occlusion"
        )
    else:
        used_method, relevance = "occlusion", occlusion_map(pixels, scorer, encoder)
    return Explanation(
        query=query,
        model=encoder.identity.name,
        method=used_method,
        score=float(text_vector @ image_vector),
        image=pixels,
        heat_map=_rescale(relevance),
        words=word_contributions(query, image_vector, encoder),
        warnings=tuple(text_warnings(encoder, [query])),
    )


def _load(model: str, runtime: Runtime | None, method: str) -> Encoder:
    # Patch embeddings are inside the torch module; a converted model gives its output only.
    if method == "patches":
        runtime = replace(runtime or Runtime.from_options(), runtime="torch")
    return registry.load(model, runtime)


def _rescale(relevance: HeatMap) -> HeatMap:
    """Map values up to the median to 0 and the highest value to 1; all 0 if the map is flat."""
    median, highest = float(np.median(relevance)), float(relevance.max())
    if highest - median < 1e-6:
        return np.zeros_like(relevance)
    scaled = (relevance - median) / (highest - median)
    return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)
