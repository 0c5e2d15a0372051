"""A model in the daemon, as an Encoder."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clipsearch.daemon.connection import DaemonLostError
from clipsearch.daemon.remote_backend import Calls
from clipsearch.errors import ClipsearchError
from clipsearch.models.base import Encoder, ModelIdentity, TextLoss
from clipsearch.models.crop import CenterCrop
from clipsearch.models.equivalence import difference
from clipsearch.models.runtime import Runtime
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

_METHODS = frozenset({"preprocess", "encode_images", "encode_texts", "text_losses"})


class RemoteEncoder:
    """An Encoder through a daemon; once that is lost, one that `load` makes in this process."""

    def __init__(
        self, client: Calls, load: Callable[[], Encoder], name: str, runtime: Runtime
    ) -> None:
        """Load the model `name` in the daemon; `load` loads the same model in this process.

        Raises what loading the model in the daemon raises.
        """
        self._client: Calls | None = client.open_another()
        self._load = load
        self._model = (name, runtime)
        self.identity: ModelIdentity = self._call("identity")

    @property
    def logit_scale(self) -> float:
        """The factor by which the model was trained to multiply cosines."""
        return float(self._call("logit_scale"))

    @cached_property
    def input_size(self) -> int:
        """Width and height of the model's input in pixels."""
        return int(self._call("input_size"))

    @cached_property
    def center_crop(self) -> CenterCrop:
        """The part of an image that preprocessing keeps."""
        crop: CenterCrop = self._call("center_crop")
        return crop

    def preprocess(self, image: "Image") -> Pixels:
        """Convert one upright RGB image for `encode_images`; locally if that needs no model."""
        if self._local_preprocess is not None:
            return self._local_preprocess(image)
        pixels: Pixels = self._call("preprocess", image)
        return pixels

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32."""
        vectors: Vectors = self._call("encode_images", pixels)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32."""
        vectors: Vectors = self._call("encode_texts", texts)
        return vectors

    def text_losses(self, texts: Sequence[str]) -> Sequence[TextLoss | None] | None:
        """What the model ignores of each text; None if it cannot tell."""
        losses: Sequence[TextLoss | None] | None = self._call("text_losses", texts)
        return losses

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works."""
        return bool(self._call("has_patches"))

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed each patch of n preprocessed images, in this process, as that needs torch."""
        local: Any = self._local_encoder
        patches: Vectors = local.encode_patches(pixels)
        return patches

    @cached_property
    def _local_preprocess(self) -> "Callable[[Image], Pixels] | None":
        if self._model[0] == "pocket":
            from clipsearch.models.pocket.encoder import PocketEncoder

            return PocketEncoder().preprocess  # this does not load its graphs
        preprocess: Callable[[Image], Pixels] | None = self._call("preprocessing")
        return preprocess

    @cached_property
    def _local_encoder(self) -> Encoder:
        return self._load()

    def _call(self, name: str, *arguments: Any) -> Any:
        """Return a property or the result of a method, from the daemon or the local encoder."""
        if self._client is not None:
            try:
                # An image is sent as an array, which the daemon can receive without Pillow.
                plain = [np.asarray(arg) if name == "preprocess" else arg for arg in arguments]
                return self._client.call("encoder", self._model, name, *plain)
            except DaemonLostError:
                self._client = None
        member = getattr(self._local_encoder, name, None)
        return member(*arguments) if name in _METHODS and callable(member) else member


def remote_encoder(
    client: Calls | None,
    load: Callable[[], Encoder],
    expected: ModelIdentity,
    runtime: Runtime,
) -> Encoder | None:
    """Return the daemon's encoder for vectors of `expected`, or None if it has none that fits.

    The daemon may have other weights or settings than this process; then this process decides.
    """
    if client is None:
        return None
    try:
        encoder = RemoteEncoder(client, load, expected.name, runtime)
    except ClipsearchError:
        return None
    return None if difference(encoder, expected) else encoder
