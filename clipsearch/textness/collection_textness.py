"""The probe of a collection's model: kept in its store, shipped with the model, or fitted now."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import embed_texts
from clipsearch.models.pocket import encoder
from clipsearch.store import Collection
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.self_supervised import fit_collection, fit_images
from clipsearch.types import Hit
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

PROMPTS = (
    "a picture with text on it",
    "a screenshot",
    "a page of a document",
    "a street sign",
    "a photo of a dog",
    "a landscape without people",
)
"""Texts whose cosines to the bias tell whether it is what it should be."""

ROWS = 4_096  # whose vectors are held at once
BUNDLED_PROBE = encoder.WEIGHTS / "textness.json"


class Textness:
    """The textness of one collection. `encoder` is called only where pictures must be embedded."""

    def __init__(self, collection: Collection, encoder: Callable[[], Encoder]) -> None:
        """Without a call to the store."""
        self.collection = collection
        self._encoder = encoder
        self._probe: TextnessProbe | None = None

    def find(self) -> TextnessProbe | None:
        """The probe kept for the collection's model, else the one that ships with it, else None."""
        if self._probe is None:
            model = self.collection.info.model
            self._probe = _usable(self.collection.textness(), model) or load_bundled_probe(model)
        return self._probe

    def probe(self) -> TextnessProbe:
        """What `find` gives; where that is None a probe is fitted and kept, and the log says so.

        Raises ModelError where the model sees no text.
        """
        return self.find() or self._fit_first()

    def fit(
        self,
        with_text: Sequence[Image | Path] = (),
        without_text: Sequence[Image | Path] = (),
        *,
        per_class: int | None = None,
        seed: int = 0,
    ) -> TextnessProbe:
        """Fit a probe and keep it for every user of the store: from these pictures, or by itself.

        Without pictures text is drawn onto a sample of the collection; see `fit_collection`, also for
        `per_class`.
        """
        if bool(with_text) != bool(without_text):
            raise UsageError("give pictures with text and pictures without, or neither")
        if with_text and per_class is not None:
            raise UsageError("all given pictures are used: a number of each is for a fit by itself")
        if with_text:
            probe = fit_images(self._encoder(), self.collection, with_text, without_text, seed=seed)
        else:
            probe = fit_collection(self._encoder(), self.collection, per_class=per_class, seed=seed)
        self.save(probe)
        return probe

    def save(self, probe: TextnessProbe) -> None:
        """Use this probe for the collection's model from now on, by every user of the store.

        Raises ModelMismatchError on a probe of another model.
        """
        probe.check_model(self.collection.info.model)
        self.collection.set_textness(probe.as_json())
        self._probe = probe

    def cosines(self, texts: Sequence[str] = PROMPTS) -> dict[str, float]:
        """The cosine of the bias to the embedding of each text: what the direction means in words."""
        direction = normalize(self.probe().bias)
        vectors = embed_texts(self._encoder(), texts)
        return dict(zip(texts, map(float, vectors @ direction), strict=True))

    def score_hits(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with their textness."""
        return self.score_hit_lists([hits])[0]

    def score_hit_lists(self, found: Sequence[Sequence[Hit]]) -> list[list[Hit]]:
        """The same for several queries: a picture that many of them find is looked at once."""
        scores: dict[str, float] = {}
        for ids in batches(dict.fromkeys(hit.id for hits in found for hit in hits), ROWS):
            rows = self.collection.get(ids)
            if rows:
                embeddings = np.stack([row.embedding for row in rows.values()])
                scores.update(zip(rows, map(float, self.probe().score(embeddings)), strict=True))
        # One that was deleted since it was found is no hit any more.
        return [
            [replace(hit, textness=scores[hit.id]) for hit in hits if hit.id in scores]
            for hits in found
        ]

    def _fit_first(self) -> TextnessProbe:
        name = self.collection.info.model.name
        log.info("no textness bias for %s yet: fitting one to pictures with drawn text", name)
        probe = fit_collection(self._encoder(), self.collection)
        # Another process may have been quicker; then both use the same.
        if earlier := _usable(self.collection.textness(), self.collection.info.model):
            self._probe = earlier
            return earlier
        self.save(probe)
        log.info(
            "textness bias kept: it tells text in %.1f %% of %d pictures held out",
            100 * probe.accuracy,
            probe.with_text + probe.without_text,
        )
        return probe


def load_bundled_probe(model: ModelIdentity) -> TextnessProbe | None:
    """The probe that came with the package, where it is one of this model."""
    if model.name != "pocket" or not BUNDLED_PROBE.is_file():
        return None
    try:
        probe = TextnessProbe.load(BUNDLED_PROBE)
    except UsageError as error:
        log.warning("%s", error)
        return None
    return probe if probe.model.is_comparable(model) else None


def _usable(values: dict[str, Any] | None, model: ModelIdentity) -> TextnessProbe | None:
    """A kept probe; None where there is none, or one of a newer clipsearch, which stays kept."""
    if values is None:
        return None
    try:
        probe = TextnessProbe.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the textness bias that this store keeps cannot be used: %s", error)
        return None
    probe.check_model(model)
    return probe
