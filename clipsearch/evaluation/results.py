"""The result of every evaluation: named measures with intervals, and the skipped files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its 95 % confidence interval; None if it has no interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number: `name` within its `group` ("R@1" of "text to image").

    `is_share`: the value lies in 0..1 and is shown as a percentage. `is_difference`: it is a
    difference of shares and may be negative. `lower_is_better`: as for a rank.
    """

    group: str
    name: str
    estimate: Estimate
    is_share: bool = True
    lower_is_better: bool = False
    is_difference: bool = False

    @property
    def value(self) -> float:
        return self.estimate.value


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one evaluation of one model.

    `counts` holds the number of items by kind ({"images": 500, "captions": 2500}). `skipped` are
    the files that count nowhere. `seconds` is the whole time without loading the model.
    """

    kind: str
    model: str
    counts: Mapping[str, int]
    measures: tuple[Measure, ...]
    skipped: tuple[Failure, ...] = ()
    seconds: float = 0.0

    def measure(self, group: str, name: str) -> Measure:
        """Find a measure; raises UsageError with the names of all measures if there is none."""
        for measure in self.measures:
            if (measure.group, measure.name) == (group, name):
                return measure
        known = ", ".join(f"{measure.group}: {measure.name}" for measure in self.measures)
        raise UsageError(f"no measure {group}: {name}; there are {known}")

    def as_json(self) -> dict[str, Any]:
        """JSON-serializable values: group → name → value, low, high.

        In the keys of groups, "_" replaces everything but letters and digits.
        """
        groups: dict[str, dict[str, Any]] = {}
        for measure in self.measures:
            estimate = measure.estimate
            groups.setdefault(_json_key(measure.group), {})[measure.name] = {
                "value": round(estimate.value, 6),
                "low": None if estimate.low is None else round(estimate.low, 6),
                "high": None if estimate.high is None else round(estimate.high, 6),
            }
        return {
            "eval": self.kind,
            "model": self.model,
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 3),
            **groups,
            "skipped": [
                {"path": str(failure.path), "reason": failure.reason} for failure in self.skipped
            ],
        }


def share_measures(
    group: str, names: Sequence[str], estimates: Sequence[Estimate]
) -> tuple[Measure, ...]:
    """Make one measure, a share, for each name."""
    return tuple(
        Measure(group, name, estimate) for name, estimate in zip(names, estimates, strict=True)
    )


def _json_key(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")
