"""What every model looks like to the rest of the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clipsearch.models.crop import CenterCrop
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes vectors comparable: two collections with equal identities share one space.

    `name` loads the model again; `weights` is the hash of its weights; `preprocessing` says in one
    line what happens to a picture; `precision` is the one that the numbers were made with.
    """

    name: str
    dim: int
    weights: str
    preprocessing: str
    precision: str

    def is_comparable(self, other: "ModelIdentity") -> bool:
        """Whether vectors of both may be compared: all but `precision`, which changes digits only."""
        return (self.dim, self.weights, self.preprocessing) == (
            other.dim,
            other.weights,
            other.preprocessing,
        )


class Encoder(Protocol):
    """A model: n pictures or n texts in, (n, d) float32 out, in order, or an error.

    Rows need not have length 1; callers batch, check and normalize (see `clipsearch.embed`).
    """

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def logit_scale(self) -> float:
        """What the model was trained to multiply cosines by: a softmax of that is a probability.

        The inverse of the temperature; 100 for OpenAI's CLIP (Radford et al. 2021, section 2.5).
        """
        ...

    @property
    def input_size(self) -> int:
        """Pixels that `preprocess` leaves of a picture's shorter side; it needs to see few more."""
        ...

    @property
    def center_crop(self) -> CenterCrop:
        """What `preprocess` leaves of a picture."""
        ...

    def preprocess(self, image: "Image") -> Pixels:
        """One upright RGB picture to the array that `encode_images` takes; safe in threads."""
        ...

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed pictures as (n, d) float32."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32."""
        ...
