"""`explain`: where in a picture a text is found, and what each of its words adds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.explain.occlusion import occlusion
from clipsearch.explain.patches import PatchEncoder, patch_map
from clipsearch.explain.scoring import Relevance
from clipsearch.explain.windows import Map
from clipsearch.explain.words import Contribution, contributions
from clipsearch.images.decode import upright
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.query.embed import open_image
from clipsearch.query.parser import Term

METHODS = ("auto", "occlusion", "patches")
GRID = 16  # cells of the longer side in JSON
SMALLEST = 8  # pixels of a side that can be told apart


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where and through which words a picture matches a text.

    `score` is their cosine. `heat` is (height, width) float32, 0..1: 1 where the picture has most
    of the text against ordinary things (sky, walls, …), 0 where it has no more than elsewhere. `words` is empty for a
    query of one word. `method` is "occlusion" or "patches".
    """

    query: str
    model: str
    method: str
    score: float
    picture: Image.Image
    heat: Map
    words: tuple[Contribution, ...]

    @property
    def hottest(self) -> tuple[int, int]:
        """The place where the picture has most of the text: x and y in its pixels."""
        height, width = self.heat.shape
        y, x = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        return (
            int((x + 0.5) * self.picture.width / width),
            int((y + 0.5) * self.picture.height / height),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values; the map as rows of at most GRID cells a side."""
        factor = GRID / max(self.heat.shape)
        size = tuple(max(1, round(length * factor)) for length in self.heat.shape[::-1])
        coarse = Image.fromarray(self.heat).resize((size[0], size[1]), Image.Resampling.BOX)
        x, y = self.hottest
        return {
            "query": self.query,
            "model": self.model,
            "method": self.method,
            "score": round(self.score, 6),
            "hottest": {"x": x, "y": y},
            "words": [{"word": w.word, "contribution": round(w.value, 6)} for w in self.words],
            "heat": [[round(float(v), 3) for v in row] for row in np.asarray(coarse)],
        }


def explain_match(
    query: str,
    picture: str | Path | Image.Image,
    *,
    model: str | Encoder = "auto",
    method: str = "auto",
    device: str = "auto",
) -> Explanation:
    """Why a picture matches a text: a heat map over it, and what each word of the text adds.

    "occlusion" hides parts of the picture and shows parts alone, which works for every model and
    costs a few hundred encodings; "patches" compares the patches of a vision transformer with the
    text in about a dozen; "auto" takes patches where the model gives them. Raises UsageError on an
    empty text, an unknown method, patches of a model that gives none, and a picture that is not
    there or too small; ImageError on a broken one.
    """
    Term(query)  # refuses what no query may be
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    image = upright(picture) if isinstance(picture, Image.Image) else open_image(Path(picture))
    if min(image.size) < SMALLEST:
        raise UsageError(
            f"a picture of {image.width} x {image.height} pixels has no parts to compare"
        )
    encoder = _load(model, device, method) if isinstance(model, str) else model
    [text] = embed_texts(encoder, [query])
    [vector] = embed_images(encoder, [image])
    relevance = Relevance.of(text, encoder)
    if isinstance(encoder, PatchEncoder) and encoder.has_patches and method != "occlusion":
        used, found = "patches", patch_map(image, relevance, encoder)
    elif method == "patches":
        raise UsageError(f"{encoder.identity.name} gives no patches: take the method occlusion")
    else:
        used, found = "occlusion", occlusion(image, relevance, encoder)
    return Explanation(
        query=query,
        model=encoder.identity.name,
        method=used,
        score=float(text @ vector),
        picture=image,
        heat=_relative(found),
        words=contributions(query, vector, encoder),
    )


def _load(model: str, device: str, method: str) -> Encoder:
    # Patches come from inside the model, where a converted one cannot be looked into.
    return registry.load(model, device=device, runtime="torch" if method == "patches" else None)


def _relative(values: Map) -> Map:
    """0 up to the median, 1 at the highest value."""
    middle, highest = float(np.median(values)), float(values.max())
    if highest - middle < 1e-6:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - middle) / (highest - middle), 0, 1), dtype=np.float32)
