"""The list of failures that commands print."""

from pathlib import Path

import pytest

from clipsearch.cli.failures import show_failures
from clipsearch.types import Failure


def test_many_failures_are_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [Failure(Path(f"{n}.jpg"), "it is empty") for n in range(30)]
    failures += [Failure(Path(f"{n}.png"), f"reason {n % 6}") for n in range(8)]
    assert show_failures(failures, hint=": look there", count=False) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[:20] == [f"failed: {n}.jpg: it is empty" for n in range(20)]
    assert lines[20:22] == ["… and 18 more: look there", "30 failed: it is empty"]
    assert lines[22:24] == ["2 failed: reason 0", "2 failed: reason 1"]
    assert lines[26:] == ["2 failed for 2 other reasons"]


def test_few_failures_are_only_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_failures([Failure(Path("a.jpg"), "it is empty")]) == 3
    assert capsys.readouterr().err.splitlines() == ["failed: a.jpg: it is empty", "1 failed"]
