"""The training configuration of a student, its schedules, and the keys of cached data."""

import math
from dataclasses import dataclass
from typing import Any

from clipsearch.cache import ArrayCache, content_key
from clipsearch.errors import UsageError

CACHE = ArrayCache("distillation")
CACHE_VERSION = 1
"""Part of every cache key; raise it if teacher vectors or student pixels are computed anew."""

EPOCHS = 30
BATCH_SIZE = 128
HELD_OUT = 0.1

HIGH_TEMPERATURE, LOW_TEMPERATURE = 4.0, 2.0
HIGH_TEMPERATURE_EPOCHS = 10

PEAK_LEARNING_RATE = 1e-3
WARM_UP_SHARE = 0.05
"""Share of all steps."""
WEIGHT_DECAY = 0.05
"""Of matrices only."""
MAX_GRADIENT_NORM = 1.0


def cache_key(*parts: Any) -> str:
    """32 hex digits that identify JSON-serializable values within this version."""
    return content_key(CACHE_VERSION, *parts)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What a student's weights depend on, besides the teacher and the examples.

    `heads` are the attention heads of the image tower; None makes them 32 wide: 12 for a width of
    384. `held_out` is the share of the examples that is measured on and not trained on. Raises
    UsageError on invalid numbers.
    """

    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    seed: int = 0
    heads: int | None = None
    held_out: float = HELD_OUT

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"training needs at least 1 epoch, not {self.epochs}")
        if self.batch_size < 2:
            raise UsageError(f"a batch needs at least 2 examples, not {self.batch_size}")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {self.seed}")
        if self.heads is not None and self.heads < 1:
            raise UsageError(f"the image tower needs at least 1 attention head, not {self.heads}")
        if not 0 <= self.held_out < 1:
            raise UsageError(
                f"the held-out share must be 0 or more and below 1, not {self.held_out}"
            )


def temperature(epoch: int) -> float:
    """The softmax temperature of an epoch, counted from 0.

    It starts high, so that the student also learns from images that are far apart.
    """
    return HIGH_TEMPERATURE if epoch < HIGH_TEMPERATURE_EPOCHS else LOW_TEMPERATURE


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine decay to nearly 0 (Loshchilov & Hutter 2017, section 3)."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    if step < warm_up:
        return PEAK_LEARNING_RATE * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return PEAK_LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * progress))


def is_held_out(content_hash: str, share: float) -> bool:
    """Decide by content, so that neither names nor other images change an example's part."""
    return int(content_hash[:8], 16) < share * 2**32
