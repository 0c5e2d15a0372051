"""A small network from the features of a hit to its probability."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer of tanh units.

    `mean` and `scale` (f,) standardize the features; `hidden` (h, f), `hidden_bias` (h,), `out`
    (h,) and `out_bias` (1,) are the weights.
    """

    mean: Floats
    scale: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats

    def __call__(self, features: Floats) -> Floats:
        """Return the probabilities (n,) of (n, f) features."""
        rows = (features - self.mean) / self.scale
        logits = np.tanh(rows @ self.hidden.T + self.hidden_bias) @ self.out + self.out_bias
        return sigmoid(logits)


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) of each logit."""
    # Beyond 30 the exponential is lost in float32.
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), dtype=np.float32)
