"""When `keep_current` runs: after changes have stopped, and again after failures."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from clipsearch.types import Failure
from ingest.watch import LONGEST_WAIT, QUIET, RESCAN, RunResult, keep_current

FAILED = RunResult(failed=frozenset({Failure(Path("a.jpg"), "truncated", "invalid")}))
BUSY = RunResult(is_busy=True)
DONE = RunResult()


class Clock:
    """A clock that only waiting advances, and the changes at given times."""

    def __init__(self, changes: Sequence[float] = ()) -> None:
        self.now = 0.0
        self.changes = sorted(changes)

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """Return at the next change, or after `seconds`."""
        end = self.now + seconds
        if self.changes and self.changes[0] <= end:
            self.now = max(self.now, self.changes.pop(0))
            return True
        self.now = end
        return False


def runs(
    monkeypatch: pytest.MonkeyPatch,
    results: Sequence[RunResult],
    *,
    changes: Sequence[float] = (),
    seconds: float = 0.0,
) -> list[float]:
    """The times at which runs with these results begin; each run takes `seconds`."""
    clock = Clock(changes)
    monkeypatch.setattr("ingest.watch.time.monotonic", clock.monotonic)
    started: list[float] = []
    pending: Iterator[RunResult] = iter(results)

    def run() -> RunResult:
        started.append(clock.now)
        clock.now += seconds
        if (result := next(pending, None)) is None:
            raise KeyboardInterrupt
        return result

    with pytest.raises(KeyboardInterrupt):
        keep_current(run, clock)
    return started


def test_a_run_follows_a_change_once_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs(monkeypatch, [DONE], changes=[10]) == [0, 10 + QUIET]


def test_a_burst_is_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    burst = [10 + number / 100 for number in range(1_000)]
    assert runs(monkeypatch, [DONE], changes=burst) == [0, pytest.approx(burst[-1] + QUIET)]


def test_changes_that_never_stop_do_not_prevent_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [10 + number for number in range(500)]
    first, second, third = runs(monkeypatch, [DONE, DONE], changes=endless)
    assert (first, second) == (0, 10 + LONGEST_WAIT)
    assert third == pytest.approx(second + LONGEST_WAIT, abs=QUIET)


def test_without_changes_the_files_are_looked_at_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert runs(monkeypatch, [DONE, DONE]) == [0, RESCAN, 2 * RESCAN]


def test_failures_are_tried_again_more_and_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    started = runs(monkeypatch, [FAILED] * 20)
    pauses = [after - before for before, after in pairwise(started)]
    assert pauses[:4] == [QUIET, 2 * QUIET, 4 * QUIET, 8 * QUIET]
    assert pauses[-1] == RESCAN


def test_a_new_failure_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    other = RunResult(FAILED.failed | {Failure(Path("b.jpg"), "truncated", "invalid")})
    started = runs(monkeypatch, [FAILED] * 6 + [other])
    assert started[-1] - started[-2] == QUIET


def test_a_busy_store_is_tried_again_at_least_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = runs(monkeypatch, [BUSY] * 20)
    assert started[1] == QUIET
    assert started[-1] - started[-2] == LONGEST_WAIT


def test_after_a_long_run_the_next_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [float(number) for number in range(0, 2_000, 5)]
    started = runs(monkeypatch, [DONE] * 5, changes=endless, seconds=20)
    assert all(after - before >= 40 for before, after in pairwise(started))
