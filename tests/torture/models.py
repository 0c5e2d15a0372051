"""Kills of model conversions, int8 calibrations and distillations, and the next run afterwards.

    python -m tests.torture.models --kills 100 --seed 1

Prints the counts as JSON; exits with 1 if a next run failed or gave other vectors or weights.
Children are forked, as importing torch takes seconds; this process computes nothing with it.
"""

import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip  # noqa: F401 - for the children
import torch
from PIL import Image

from clipsearch.temporary_folder import TemporaryFolder
from tests.helpers import checkpoints
from tests.torture.child import Child, processes, strike
from tests.torture.driver import Tally, run_kills
from tests.torture.model_work import announce_steps, distill, embed, teacher

FAULTS = (
    "failed",
    "different",
    "converted_twice",
    "not_compiled",
    "left_behind",
    "orphans",
    "hung",
)
OPERATIONS = ("fp32", "int8", "auto", "distill")
TARGETS = ("command", "command", "all", "child")
"""The process alone, all of its group, or the process that calibrates."""

EVENTS = {"fp32": 9, "int8": 20, "auto": 20, "distill": 12}
"""Up to how many events come before the kill."""

EVENT_SECONDS = 0.4
MIN_COSINE = {"fp32": 0.99999, "int8": 0.98, "auto": 0.98}
COUNT = 24


class Torture:
    """A model, a teacher with images, what they give without kills, and the counts."""

    def __init__(self, folder: Path, seed: int, operations: Sequence[str]) -> None:
        """Make the models, and run each operation once without a kill."""
        self._folder = folder
        self._random = random.Random(seed)
        self._number = 0
        self.tally = Tally(FAULTS)
        config = checkpoints.vit_b_32(32)
        config["vision_cfg"] |= {"layers": 1, "width": 64, "image_size": 64}
        config["text_cfg"] |= {"layers": 1, "width": 64, "heads": 1}
        self._models = folder / "models"
        (folder / "tmp").mkdir()

        def make() -> None:
            preprocessing = checkpoints.CLIP_PREPROCESSING
            checkpoints.save_open_clip(self._models / "vit", config, preprocessing)
            checkpoints.save_open_clip(self._models / "teacher", teacher(), preprocessing)

        child = Child(make, folder / "log")
        assert child.wait() == 0, (folder / "log").read_text()
        draws = np.random.default_rng(0)
        (folder / "images").mkdir()
        for number in range(COUNT):
            coarse = Image.fromarray(draws.integers(0, 256, (3, 4, 3), dtype=np.uint8))
            coarse.resize((40, 30)).save(folder / "images" / f"{number:02}.png")
        self._expected: dict[str, Any] = {}
        self._compiled: dict[str, int] = {}
        for operation in dict.fromkeys(name.replace("auto", "fp32") for name in operations):
            status, _, result = self._run(operation, folder / operation)
            assert status == 0, (folder / "log").read_text()
            self._expected[operation] = result
            self._compiled[operation] = count_compiled(folder / operation)
        if "auto" in operations:
            self._expected["auto"], self._compiled["auto"] = self._expected["fp32"], 2

    def kill(self, operations: Sequence[str]) -> None:
        """Kill one operation at a random moment, run it again, and compare the result."""
        operation = self._random.choice(operations)
        target = self._random.choice(TARGETS) if operation in ("int8", "auto") else "command"
        self._number += 1
        place = self._folder / f"{operation}-{self._number}"
        event = self._random.randint(1, EVENTS[operation])
        delay = self._random.uniform(0, EVENT_SECONDS)
        status, events, _ = self._run(operation, place, target=target, event=event, delay=delay)
        context = f"{operation}, kill of {target} {delay:.3f} s after event {event} {events[-1:]}"
        if len(events) < event:
            self.tally.counts["too late"] += 1
        else:
            self.tally.counts["kills"] += 1
            self.tally.counts[f"kills of {operation}"] += 1
        self.tally.counts["orphans"] += self._count_orphans(place)
        whole = {path.parent.name for path in place.glob("models/*/manifest.json")}
        status, events, result = self._run(operation, place)
        if status == -signal.SIGALRM:
            self.tally.note("hung", context)
        elif status:
            self.tally.note("failed", f"{context}: {(self._folder / 'log').read_text()[-400:]}")
        elif not self._is_expected(operation, result):
            self.tally.note("different", context)
        again = [event for event in events if event.startswith("publish ")]
        if twice := [event for event in again if event.split()[1] in whole]:
            self.tally.note("converted_twice", f"{context}: {twice}")
        if (compiled := count_compiled(place)) < self._compiled[operation]:
            self.tally.note("not_compiled", f"{context}: {compiled}")
        if left := self._left_behind(place):
            self.tally.note("left_behind", f"{context}: {left}")
        shutil.rmtree(place, ignore_errors=True)

    def _run(
        self,
        operation: str,
        place: Path,
        *,
        target: str = "",
        event: int = 0,
        delay: float = 0.0,
    ) -> tuple[int, list[str], Any]:
        """Run an operation with its cache or output in `place`; return status, events, result."""
        output = self._folder / "result.npz"
        output.unlink(missing_ok=True)

        def run() -> None:
            os.environ |= {"CLIPSEARCH_CACHE": str(place), "TMPDIR": str(self._folder / "tmp")}
            tempfile.tempdir = str(self._folder / "tmp")
            torch.set_num_threads(1)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            announce_steps()
            if operation == "distill":
                distill(self._models / "teacher", self._folder / "images", place / "student")
            else:
                embed(self._models / "vit", operation, output)

        child = Child(run, self._folder / "log")
        events = []
        for name in child.events():
            events.append(name)
            if target and len(events) == event:
                time.sleep(delay)
                strike(child.pid, target)
        status = child.wait()
        if operation == "distill" and status == 0:
            from safetensors.numpy import load_file

            return status, events, load_file(place / "student" / "open_clip_model.safetensors")
        # A killed process may have left a part of it.
        return status, events, dict(np.load(output)) if status == 0 and output.exists() else None

    def _is_expected(self, operation: str, result: Any) -> bool:
        expected = self._expected[operation]
        if operation == "distill":
            return result.keys() == expected.keys() and all(
                np.allclose(result[name], expected[name], atol=1e-6) for name in expected
            )
        if result is None:
            return False
        cosines = [
            np.sum(unit(result[name]) * unit(expected[name]), axis=1).min() for name in expected
        ]
        return bool(min(cosines) >= MIN_COSINE[operation])

    def _count_orphans(self, place: Path) -> int:
        """Count the processes that still work for a killed one after two seconds."""
        deadline = time.monotonic() + 2
        while orphans := [pid for pid in processes() if str(place).encode() in pid[1]]:
            if time.monotonic() > deadline:
                self.tally.note("orphans", repr(orphans), count=0)
                return len(orphans)
            time.sleep(0.05)
        return 0

    def _left_behind(self, place: Path) -> list[str]:
        tmp = self._folder / "tmp"
        TemporaryFolder(tmp).remove()
        paths = [*tmp.iterdir(), *place.rglob(".new-*"), *place.rglob("*.part")]
        return [str(path.relative_to(self._folder)) for path in paths]


def count_compiled(cache: Path) -> int:
    """Count the compiled graphs that later processes load."""
    return len(list(cache.glob("models/*/compiled/*/verified")))


def unit(rows: Any) -> Any:
    """Scale rows to length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    sys.exit(run_kills(__doc__, OPERATIONS, Torture))
