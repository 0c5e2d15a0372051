"""How a student is trained, and what has to stay the same from one start to the next."""

import math
from dataclasses import dataclass
from typing import Any

from clipsearch.cache import ArrayCache, content_key
from clipsearch.errors import UsageError

CACHE = ArrayCache("distillation")
VERSION = 1
"""Of how the teacher's vectors and the student's images are computed; part of every cache key."""

EPOCHS = 30
BATCH_SIZE = 128
HELD_OUT = 0.1

WARM = 10
"""Epochs at the higher temperature."""
HIGH, LOW = 4.0, 2.0

PEAK = 1e-3  # of the learning rate
WARM_UP = 0.05  # share of all steps
DECAY = 0.05  # of matrices
LONGEST_STEP = 1.0  # of the gradient


def cache_key(*parts: Any) -> str:
    """32 hex digits that identify JSON-serializable values within this version."""
    return content_key(VERSION, *parts)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a student's weights depend on, besides the teacher and the examples.

    `heads` are the attention heads of the image tower; None takes them 32 wide: 12 of 384.
    `held_out` is the share of examples that nothing is learnt from. Raises UsageError on numbers
    that cannot be.
    """

    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    seed: int = 0
    heads: int | None = None
    held_out: float = HELD_OUT

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"a student needs at least 1 epoch, not {self.epochs}")
        if self.batch_size < 2:
            raise UsageError(f"a batch compares at least 2 examples, not {self.batch_size}")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {self.seed}")
        if self.heads is not None and self.heads < 1:
            raise UsageError(f"at least 1 head, not {self.heads}")
        if not 0 <= self.held_out < 1:
            raise UsageError(
                f"the held-out share must be 0 or more and below 1, not {self.held_out}"
            )


def temperature(epoch: int) -> float:
    """Of the softmax in an epoch, counted from 0: first softer, to learn from distant pictures too."""
    return HIGH if epoch < WARM else LOW


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to nearly 0 (Loshchilov & Hutter 2017, section 3)."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return PEAK * (step + 1) / warm_up
    return PEAK * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def is_held_out(content_hash: str, share: float) -> bool:
    """By content, so that neither names nor what else there is move a picture across."""
    return int(content_hash[:8], 16) < share * 2**32
