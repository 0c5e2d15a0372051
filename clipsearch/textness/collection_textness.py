"""The textness of a collection: the probe of its model (stored, bundled or fitted)."""

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
from clipsearch.models.pocket import encoder as pocket_encoder
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.self_supervised import fit_collection, fit_images
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
"""Texts whose cosines to the bias show whether it means text."""

BATCH_ROWS = 4_096  # rows whose vectors are held at once
BUNDLED_PROBE = pocket_encoder.WEIGHTS / "textness.json"


class Textness:
    """The textness of one collection; `encoder` is called only if images must be embedded."""

    def __init__(self, collection: Collection, encoder: Callable[[], Encoder]) -> None:
        """Create it without a request to the store."""
        self.collection = collection
        self._encoder = encoder
        self._probe: TextnessProbe | None = None

    def find(self) -> TextnessProbe | None:
        """The probe stored for the collection's model, else the bundled one, else None."""
        if self._probe is None:
            model = self.collection.info.model
            self._probe = _usable_probe(self.collection.textness(), model) or load_bundled_probe(
                model
            )
        return self._probe

    def probe(self) -> TextnessProbe:
        """The result of `find`; if that is None, fit a probe, save it and log that.

        Raises ModelError if the model does not recognize text.
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
        """Fit a probe and save it for all users of the store.

        Without images, text is drawn onto a sample of the collection; see `fit_collection`, also
        for `per_class`. Raises UsageError if only one class of images is given.
        """
        if bool(with_text) != bool(without_text):
            raise UsageError("give images with text and images without, or neither")
        if with_text and per_class is not None:
            raise UsageError(
                "all given images are used: the number per class applies to a fit on the collection"
            )
        if with_text:
            probe = fit_images(self._encoder(), self.collection, with_text, without_text, seed=seed)
        else:
            probe = fit_collection(self._encoder(), self.collection, per_class=per_class, seed=seed)
        self.save(probe)
        return probe

    def save(self, probe: TextnessProbe) -> None:
        """Store a probe for the collection's model, for all users of the store.

        Raises ModelMismatchError if the probe was fitted to another model.
        """
        probe.check_model(self.collection.info.model)
        self.collection.set_textness(probe.as_json())
        self._probe = probe

    def cosines(self, texts: Sequence[str] = PROMPTS) -> dict[str, float]:
        """The cosine of the bias to the embedding of each text, to interpret the direction."""
        direction = normalize(self.probe().bias)
        vectors = embed_texts(self._encoder(), texts)
        return dict(zip(texts, map(float, vectors @ direction), strict=True))

    def score_hits(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with their textness."""
        return self.score_hit_lists([hits])[0]

    def score_hit_lists(self, hit_lists: Sequence[Sequence[Hit]]) -> list[list[Hit]]:
        """The hits of several queries with their textness; each image is scored once."""
        scores: dict[str, float] = {}
        ids = dict.fromkeys(hit.id for hits in hit_lists for hit in hits)
        for batch in batches(ids, BATCH_ROWS):
            rows = self.collection.get(batch)
            if rows:
                embeddings = np.stack([row.embedding for row in rows.values()])
                scores.update(zip(rows, map(float, self.probe().score(embeddings)), strict=True))
        # A hit without a score was deleted since the search.
        return [
            [replace(hit, textness=scores[hit.id]) for hit in hits if hit.id in scores]
            for hits in hit_lists
        ]

    def _fit_first(self) -> TextnessProbe:
        name = self.collection.info.model.name
        log.info("no textness bias for %s yet: fitting one to images with drawn text", name)
        probe = fit_collection(self._encoder(), self.collection)
        # If another process saved a probe in the meantime, both use that one.
        if earlier := _usable_probe(self.collection.textness(), self.collection.info.model):
            self._probe = earlier
            return earlier
        self.save(probe)
        log.info(
            "textness bias saved: accuracy %.1f %% on %d held-out images",
            100 * probe.accuracy,
            probe.with_text + probe.without_text,
        )
        return probe


def load_bundled_probe(model: ModelIdentity) -> TextnessProbe | None:
    """The probe in the package, or None if there is none for this model."""
    if model.name != "pocket" or not BUNDLED_PROBE.is_file():
        return None
    try:
        probe = TextnessProbe.load(BUNDLED_PROBE)
    except UsageError as error:
        log.warning("%s", error)
        return None
    return probe if probe.model.is_comparable(model) else None


def _usable_probe(values: dict[str, Any] | None, model: ModelIdentity) -> TextnessProbe | None:
    """A stored probe, or None if there is none or a newer version of clipsearch wrote it."""
    if values is None:
        return None
    try:
        probe = TextnessProbe.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the textness bias in this store cannot be used: %s", error)
        return None
    probe.check_model(model)
    return probe
