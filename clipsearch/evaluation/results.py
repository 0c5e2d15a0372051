"""What every evaluation returns: named numbers with intervals, and what was left out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its 95 % confidence interval; None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number: `name` within its `group` ("R@1" of "text to image").

    A `share` lies in 0..1 and is shown as a percentage; a `difference` of shares may be negative;
    `lower_is_better` of a rank.
    """

    group: str
    name: str
    estimate: Estimate
    share: bool = True
    lower_is_better: bool = False
    difference: bool = False

    @property
    def value(self) -> float:
        return self.estimate.value


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one evaluation of one model.

    `counts` says how much was looked at ({"images": 500, "captions": 2500}); `skipped` are files
    that count nowhere; `seconds` is the whole time without loading the model.
    """

    kind: str
    model: str
    counts: Mapping[str, int]
    measures: tuple[Measure, ...]
    skipped: tuple[Failure, ...] = ()
    seconds: float = 0.0

    def measure(self, group: str, name: str) -> Measure:
        """The measure of that name; raises UsageError naming those that there are."""
        for one in self.measures:
            if (one.group, one.name) == (group, name):
                return one
        known = ", ".join(f"{one.group}: {one.name}" for one in self.measures)
        raise UsageError(f"no measure {group}: {name}; there are {known}")

    def as_json(self) -> dict[str, Any]:
        """Plain values: group → name → value, low, high; names with _ for what is no letter."""
        groups: dict[str, dict[str, Any]] = {}
        for one in self.measures:
            numbers = {
                key: None if number is None else round(number, 6)
                for key, number in (
                    ("value", one.estimate.value),
                    ("low", one.estimate.low),
                    ("high", one.estimate.high),
                )
            }
            groups.setdefault(_key(one.group), {})[one.name] = numbers
        return {
            "eval": self.kind,
            "model": self.model,
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 3),
            **groups,
            "skipped": [{"path": str(s.path), "reason": s.reason} for s in self.skipped],
        }


def proportions(
    group: str, names: Sequence[str], estimates: Sequence[Estimate]
) -> tuple[Measure, ...]:
    """One share a name."""
    return tuple(
        Measure(group, name, estimate) for name, estimate in zip(names, estimates, strict=True)
    )


def _key(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")
