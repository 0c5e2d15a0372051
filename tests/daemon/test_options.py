"""Durations."""

import pytest

from clipsearch.daemon.options import parse_duration
from clipsearch.errors import (
    UsageError,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30m", 1800), ("30", 1800), ("90s", 90), ("2h", 7200), ("1d", 86400), (" 1.5H ", 5400)],
)
def test_durations_are_parsed(text: str, expected: float) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-3m", "0", "0s", "3 weeks", "1000d", "nan", "1e9"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="30m"):
        parse_duration(text)
