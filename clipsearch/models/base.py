"""The interface of all models: `Encoder` and the identity of what it computes."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clipsearch.models.crop import CenterCrop
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes vectors comparable: a collection stores it and checks it on every opening.

    `name` loads the model again. `dim` is the length of a vector. `weights` is a hash or version
    that changes with the weights, `preprocessing` one line on what happens to an image before the
    model. `precision` is the number format that the model computes in.
    """

    name: str
    dim: int
    weights: str
    preprocessing: str
    precision: str = "float32"

    def is_comparable(self, other: "ModelIdentity") -> bool:
        """Whether vectors of both share one space; `name` and `precision` may differ."""
        return (self.dim, self.weights, self.preprocessing) == (
            other.dim,
            other.weights,
            other.preprocessing,
        )


@dataclass(frozen=True, slots=True)
class TextLoss:
    """What a model ignores of a text.

    `unknown` are the words that it cannot tell apart from other unknown words, `cut` is the end of
    the text that exceeds its context of `limit` tokens, "" if nothing does. `foreign` says whether
    the text seems to be in a language that the model does not know.
    """

    unknown: tuple[str, ...] = ()
    cut: str = ""
    limit: int = 0
    foreign: bool = False


class Encoder(Protocol):
    """A model: n images or n texts in, (n, d) float32 out, in order, or an error.

    An encoder may also have a method `text_losses(texts)`, which returns a `TextLoss` for each
    text, or None for one that is read completely. Users are warned of the losses.

    Rows need not have length 1: callers batch, check and normalize (`clipsearch.models.embedding`).
    Write your own by subclassing, which inherits the defaults, or by defining all of the members.
    """

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity:
        """Name, dimension, weights and preprocessing of the model."""

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Pixels of the longer side of the model's input; large images are decoded smaller."""

    @property
    def logit_scale(self) -> float:
        """The factor of cosines in the softmax that gives class probabilities; 100 by default.

        The inverse of the trained temperature (Radford et al. 2021, section 2.5).
        """
        return 100.0

    @property
    def center_crop(self) -> CenterCrop:
        """The part of an image that `preprocess` keeps; the whole image by default."""
        return CenterCrop()

    @abstractmethod
    def preprocess(self, image: "Image") -> Pixels:
        """Convert one upright RGB image to the array that `encode_images` takes; thread-safe."""

    @abstractmethod
    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32."""
