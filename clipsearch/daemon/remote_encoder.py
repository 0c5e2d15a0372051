"""A model as the warm process holds it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clipsearch.daemon.client import Link, LostError
from clipsearch.errors import ClipsearchError
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.crop import CenterCrop
from clipsearch.models.runtime import Runtime
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


class RemoteEncoder:
    """An Encoder through a link; once that is lost, one that `load` makes in this process."""

    def __init__(
        self, link: Link, load: Callable[[], Encoder], name: str, runtime: Runtime
    ) -> None:
        """`name` and `runtime` are what `load` would load; raises what loading it there raises."""
        self._link: Link | None = link.another()
        self._load = load
        self._model = (name, runtime)
        self.identity: ModelIdentity = self._do("identity")

    @property
    def logit_scale(self) -> float:
        """What the model was trained to multiply cosines by."""
        return float(self._do("logit_scale"))

    @cached_property
    def input_size(self) -> int:
        """Pixels a side of what the model sees."""
        return int(self._do("input_size"))

    @cached_property
    def center_crop(self) -> CenterCrop:
        """What the model sees of a picture."""
        crop: CenterCrop = self._do("center_crop")
        return crop

    def preprocess(self, image: "Image") -> Pixels:
        """One upright RGB picture to what `encode_images` takes; here, where that needs no model."""
        if self._preprocessing is not None:
            return self._preprocessing(image)
        pixels: Pixels = self._do("preprocess", image)
        return pixels

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed pictures as (n, d) float32."""
        vectors: Vectors = self._do("encode_images", pixels)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32."""
        vectors: Vectors = self._do("encode_texts", texts)
        return vectors

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works."""
        return bool(self._do("has_patches"))

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Each patch of n preprocessed pictures; by an own model, since that one needs torch."""
        own: Any = self._own
        patches: Vectors = own.encode_patches(pixels)
        return patches

    @cached_property
    def _preprocessing(self) -> "Callable[[Image], Pixels] | None":
        if self._model[0] == "pocket":
            from clipsearch.models.pocket.encoder import PocketEncoder

            return PocketEncoder().preprocess  # its graphs stay unloaded
        found: Callable[[Image], Pixels] | None = self._do("preprocessing")
        return found

    @cached_property
    def _own(self) -> Encoder:
        return self._load()

    def _do(self, what: str, *arguments: Any) -> Any:
        if self._link is not None:
            try:
                # A picture goes as an array, which needs no Pillow to be understood.
                plain = [np.asarray(one) if what == "preprocess" else one for one in arguments]
                return self._link.call("encoder", self._model, what, *plain)
            except LostError:
                self._link = None
        found = getattr(self._own, what, None)
        return found(*arguments) if what in _METHODS and callable(found) else found


_METHODS = frozenset({"preprocess", "encode_images", "encode_texts"})


def remote_encoder(
    link: Link | None,
    load: Callable[[], Encoder],
    expected: ModelIdentity,
    runtime: Runtime,
) -> Encoder | None:
    """The warm process's encoder for vectors of `expected`; None where it has none that fits.

    It may see other weights or settings than this process: then this one's count.
    """
    if link is None:
        return None
    try:
        encoder = RemoteEncoder(link, load, expected.name, runtime)
    except ClipsearchError:
        return None
    return encoder if encoder.identity.is_comparable(expected) else None
