"""The textness of a collection: the probe of its model (stored, bundled or fitted)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.errors import ModelError, UsageError
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import embed_texts
from clipsearch.models.pocket import encoder as pocket_encoder
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.textness.probe import TextnessFit, TextnessProbe
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
"""Texts whose cosines to the direction of a probe show whether it means text."""

PREVIOUS = "previous"
"""The key of the probe that was stored before, next to the fields of the present one."""

LOW_ACCURACY = 0.8

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
            self._probe = self._stored() or load_bundled_probe(model)
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
        force: bool = False,
    ) -> TextnessProbe:
        """Fit a probe and save it for all users of the store and all collections of the model.

        Without images, text is drawn onto a sample of the collection; see `fit_collection`, also
        for `per_class`. Raises UsageError if only one class of images is given, and ModelError if
        the present probe is more accurate on the same images, unless `force` is given.
        """
        if bool(with_text) != bool(without_text):
            raise UsageError("give images with text and images without, or neither")
        if with_text and per_class is not None:
            raise UsageError(
                "all given images are used: the number per class applies to a fit on the collection"
            )
        if with_text:
            fit = fit_images(self._encoder(), self.collection, with_text, without_text, seed=seed)
        else:
            fit = fit_collection(self._encoder(), self.collection, per_class=per_class, seed=seed)
        present = self.find()
        if present is not None and not force:
            check_improvement(fit, present)
        self.save(fit.probe)
        return fit.probe

    def save(self, probe: TextnessProbe) -> None:
        """Store a probe for the collection's model, for all users of the store.

        The stored probe that it replaces is kept for `restore`. Warns if the accuracy is low.
        Raises ModelMismatchError if the probe was fitted to another model.
        """
        probe.check_model(self.collection.info.model)
        self._write(probe)
        if probe.accuracy < LOW_ACCURACY:
            log.warning(
                "the textness probe is inaccurate (%.2f on held-out images, chance is 0.5): its "
                "scores and scales mean little; `clipsearch textness reset` removes it",
                probe.accuracy,
            )

    def is_stored(self) -> bool:
        """Whether the store has a probe for the model, rather than only the package."""
        return self._stored() is not None

    def reset(self) -> TextnessProbe | None:
        """Remove the stored probe, but keep it for `restore`; return the bundled one, if any.

        Raises UsageError if no probe is stored.
        """
        if self._stored() is None:
            raise UsageError(f"no textness fit of {self.collection.info.model.name} is stored")
        self._write(None)
        return self.find()

    def restore(self) -> TextnessProbe:
        """Exchange the stored probe, if any, for the one stored before; raises UsageError."""
        model = self.collection.info.model
        previous = _usable_probe((self.collection.textness() or {}).get(PREVIOUS), model)
        if previous is None:
            raise UsageError(f"no earlier textness fit of {model.name} is stored")
        self._write(previous)
        return previous

    def cosines(self, texts: Sequence[str] = PROMPTS) -> dict[str, float]:
        """The cosine of the probe's direction to the embedding of each text, to interpret it."""
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

    def _stored(self) -> TextnessProbe | None:
        return _usable_probe(self.collection.textness(), self.collection.info.model)

    def _write(self, probe: TextnessProbe | None) -> None:
        """Store `probe`, or none, and keep the one stored until now as the previous one."""
        replaced = self._stored()
        previous = (
            replaced.as_json() if replaced else (self.collection.textness() or {}).get(PREVIOUS)
        )
        values = probe.as_json() if probe else {}
        self.collection.set_textness(values | ({PREVIOUS: previous} if previous else {}))
        self._probe = probe

    def _fit_first(self) -> TextnessProbe:
        name = self.collection.info.model.name
        log.info("no textness probe for %s yet: fitting one to images with drawn text", name)
        probe = fit_collection(self._encoder(), self.collection).probe
        # If another process saved a probe in the meantime, both use that one.
        if earlier := self._stored():
            self._probe = earlier
            return earlier
        self.save(probe)
        log.info(
            "textness probe saved: accuracy %.1f %% on %d held-out images",
            100 * probe.accuracy,
            probe.with_text + probe.without_text,
        )
        return probe


def check_improvement(fit: TextnessFit, present: TextnessProbe) -> None:
    """Raise ModelError if the present probe is more accurate on the images of a new fit."""
    accuracy = fit.accuracy_of(present)
    if fit.probe.accuracy < accuracy:
        raise ModelError(
            f"the new textness fit is less accurate than the present one ({fit.probe.accuracy:.3f} "
            f"and {accuracy:.3f} on the same images), so the present one was kept: fit on more "
            "images, or replace it with --force (Python: force=True)"
        )


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
    if not values or set(values) == {PREVIOUS}:
        return None
    try:
        probe = TextnessProbe.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the textness probe in this store cannot be used: %s", error)
        return None
    probe.check_model(model)
    return probe
