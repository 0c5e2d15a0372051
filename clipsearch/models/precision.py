"""Choose the precision of a converted model by measuring what this machine does with it.

bfloat16 is fast on some processors and slower than float32 on others, and int8 needs suitable
instructions. No fixed choice is right, so the first use of a model on a machine measures, in two to
three seconds.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from clipsearch import cpu
from clipsearch.cache import atomic_write
from clipsearch.errors import ModelError
from clipsearch.models.base import Encoder
from clipsearch.models.openvino_runtime import has_bf16, has_int8
from clipsearch.types import Pixels

Variant: TypeAlias = str
"""How a model computes: one of VARIANTS."""

VARIANTS: tuple[Variant, ...] = ("fp32", "bf16", "int8", "int8+bf16")
"""From the most to the least exact. "int8+bf16" computes in bfloat16 what is not in int8."""

VARIANTS_OF: Mapping[str, tuple[Variant, ...]] = {
    "auto": VARIANTS,
    "fp32": ("fp32",),
    "bf16": ("bf16",),
    "int8": ("int8", "int8+bf16"),
}
"""The variants among which a precision of `Runtime` leaves the choice."""

TOLERANCE = 0.95
"""A more exact variant is chosen if it has this share of the fastest one's rate."""

SCREENING_SECONDS = 0.2
TIMING_SECONDS = 0.6
ROUND_SECONDS = 0.25
"""The time for finding slow variants, for comparing the others, and for one round of that."""

SLOW = 2.0
"""A variant that takes this many times as long as the fastest one is not compared further."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one variant on one machine.

    `images_per_second` is the rate of the image tower on all cores, 0 if `refused` says why the
    variant is not offered. `cosine` is to the embeddings in float32, `recall` the share of the ten
    nearest neighbors that stay the same (None if not measured).
    """

    images_per_second: float = 0.0
    cosine: float = 1.0
    recall: float | None = None
    refused: str = ""

    def __str__(self) -> str:
        """The figures in words, without those that float32 cannot fail."""
        if self.refused:
            return f"not offered, {self.refused}"
        words = [f"{self.images_per_second:.0f} images/s"]
        if self.cosine < 1:
            words.append(f"cosine {self.cosine:.5f}")
        if self.recall is not None:
            words.append(f"recall@10 {self.recall:.3f}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class PrecisionRecord:
    """The figures of a converted model on one machine, by variant."""

    machine: str
    figures: Mapping[Variant, Figures]

    def describe(self) -> str:
        """The variant that "auto" chooses and the figures of all, on one line."""
        figures = [f"{name} {self.figures[name]}" for name in VARIANTS if name in self.figures]
        return f"{self.best() or 'fp32'} on {self.machine}: {'; '.join(figures)}"

    def to_json(self) -> dict[str, Any]:
        """The machine, the variant that "auto" chooses, and the figures of all."""
        return asdict(self) | {"chosen": self.best() or "fp32"}

    def covers(self, variants: Sequence[Variant]) -> bool:
        """Whether all of these were measured."""
        return all(variant in self.figures for variant in variants)

    def best(self, variants: Sequence[Variant] = VARIANTS) -> Variant | None:
        """The most exact of the fastest variants; None if all of these were refused."""
        rates = {
            variant: self.figures[variant].images_per_second
            for variant in VARIANTS
            if variant in variants and variant in self.figures and not self.figures[variant].refused
        }
        fastest = max(rates.values(), default=0.0)
        return next((name for name, rate in rates.items() if rate >= TOLERANCE * fastest), None)


def offered(precision: str) -> tuple[Variant, ...]:
    """The variants of a precision that this machine's instructions support.

    Where int8 has no instructions it is slower than float32, so that "auto" leaves it out.
    """
    without = set()
    if not has_bf16():
        without |= {"bf16", "int8+bf16"}
    if precision == "auto" and not has_int8():
        without |= {"int8", "int8+bf16"}
    return tuple(variant for variant in VARIANTS_OF[precision] if variant not in without)


def load_record(folder: Path) -> PrecisionRecord | None:
    """The record of this machine in the folder of a conversion; None if there is none."""
    try:
        saved = json.loads(_file(folder).read_text("utf-8"))
        figures = {variant: Figures(**fields) for variant, fields in saved["figures"].items()}
        return PrecisionRecord(saved["machine"], figures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # never saved, or damaged


def save_record(folder: Path, record: PrecisionRecord) -> None:
    """Save the record of this machine; a read-only cache is ignored."""
    with contextlib.suppress(OSError), atomic_write(_file(folder)) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=2), encoding="utf-8")


def time_variants(
    encoders: Mapping[Variant, Encoder], pixels: Pixels, batch: int
) -> dict[Variant, float]:
    """The images per second of each encoder, by turns, in batches of one preprocessed image.

    Batches have at most `batch` images, and fewer if that would take too long. A rate of 0 means
    that the runtime failed.
    """
    cores = cpu.available()
    seconds: dict[Variant, float] = {}  # of one image
    for variant, encoder in encoders.items():
        with contextlib.suppress(ModelError):
            encoder.encode_images([pixels])  # compiles the graph
            seconds[variant] = _seconds(encoder, [pixels] * cores)
    # By turns and repeatedly: a program that runs beside this may slow a single call several times.
    _improve(seconds, encoders, [pixels] * cores, SCREENING_SECONDS)
    fastest = min(seconds.values(), default=0.0)
    compared = {name: value for name, value in seconds.items() if value <= SLOW * fastest}
    count = int(ROUND_SECONDS / sum(compared.values())) if compared else 0
    if count >= cores:
        _improve(compared, encoders, [pixels] * min(count, batch), TIMING_SECONDS)
    seconds |= compared
    return {variant: 1 / seconds[variant] if variant in seconds else 0.0 for variant in encoders}


def _improve(
    seconds: dict[Variant, float],
    encoders: Mapping[Variant, Encoder],
    batch: Sequence[Pixels],
    duration: float,
) -> None:
    """Time these variants by turns for `duration` seconds, and keep the minimum of each."""
    started = time.perf_counter()
    while seconds:
        for variant in seconds:
            seconds[variant] = min(seconds[variant], _seconds(encoders[variant], batch))
        if time.perf_counter() - started >= duration:
            return


def _seconds(encoder: Encoder, batch: Sequence[Pixels]) -> float:
    started = time.perf_counter()
    encoder.encode_images(batch)
    return (time.perf_counter() - started) / len(batch)


def _file(folder: Path) -> Path:
    """The record's file; several machines may share a cache folder."""
    machine = f"{cpu.description()} {sorted(cpu.instruction_sets())}"
    return folder / f"precision-{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
