"""Options of the daemon: what it serves, and how long it runs without use."""

import re
from dataclasses import dataclass

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.errors import UsageError
from clipsearch.models.runtime import Runtime

DEFAULT_IDLE_TIMEOUT = "30m"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Parse a duration such as `30m`, `90s`, `2h` or `1d` into seconds; a number is minutes.

    Raises UsageError on anything else, on 0 and on more than a year.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    duration = float(match[1]) * _UNITS[match[2] or "m"] if match else 0
    if not 0 < duration <= 366 * 86400:
        raise UsageError(f"{text!r} is not a duration: write 30m, 90s, 2h or 1d")
    return duration


IDLE_SECONDS = parse_duration(DEFAULT_IDLE_TIMEOUT)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What a daemon serves: a store, and the model of one of its collections.

    `idle` is the time without use after which it stops, in seconds; `collection` need not exist
    yet; `runtime` is the model's. `consistency` is that of `serve`; commands have their own.
    """

    uri: str
    token: str | None
    collection: str
    runtime: Runtime
    idle: float = IDLE_SECONDS
    consistency: Consistency = DEFAULT
