"""What the drivers of kills share: their options, and the counts of faults."""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol


class Tally:
    """Counts of kills, checks and faults, with a message for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Count nothing yet; `faults` are the counts that must stay zero."""
        self.counts: Counter[str] = Counter()
        self._faults = faults
        self._messages: list[str] = []

    @property
    def has_failed(self) -> bool:
        """Whether any fault was counted."""
        return any(self.counts[fault] for fault in self._faults)

    def note(self, fault: str, message: str, count: int = 1) -> None:
        """Count a fault and print it."""
        self.counts[fault] += count
        self._messages.append(f"{fault}: {message}")
        print(self._messages[-1], file=sys.stderr, flush=True)

    def result(self) -> dict[str, Any]:
        """All counts, the faults first, and the messages."""
        faults = {fault: self.counts[fault] for fault in self._faults}
        return {**faults, **dict(sorted(self.counts.items())), "messages": self._messages}


class Torture(Protocol):
    """What kills one operation after the other."""

    tally: Tally

    def kill(self, operations: Sequence[str]) -> None:
        """Kill one of these operations, and count what is wrong afterwards."""


def run_kills(
    description: str,
    operations: Collection[str],
    make: Callable[[Path, int, Sequence[str]], Torture],
) -> int:
    """Run the kills that the options ask for; return the exit status.

    `make` gets an empty folder, the seed and the operations.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--operation", action="append", choices=operations, help="only this one")
    options = parser.parse_args()
    chosen = options.operation or list(operations)
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        torture = make(Path(folder), options.seed, chosen)
        while torture.tally.counts["kills"] < options.kills:
            torture.kill(chosen)
            if torture.tally.counts["kills"] % 10 == 0:
                print(torture.tally.counts["kills"], "kills", file=sys.stderr, flush=True)
    print(json.dumps(torture.tally.result(), indent=2))
    return 1 if torture.tally.has_failed else 0
