"""Kills of model conversions, int8 calibrations and distillations, and the next run afterwards.

    python -m tests.torture.models --kills 100 --seed 1

Prints the counts as JSON; exits with 1 if a next run failed or gave other vectors or weights.
Children are forked, as importing torch takes seconds; this process computes nothing with it.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip  # noqa: F401 - for the children
import torch
from PIL import Image

import clipsearch
from clipsearch.distill import training_loop
from clipsearch.errors import UsageError
from clipsearch.models import (
    export,
    export_cache,
    int8_build,
    openvino_runtime,
    precision,
)
from clipsearch.models.calibration_images import draw_images
from clipsearch.models.export_check import PROMPTS
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.temporary_folder import TemporaryFolder
from tests.helpers import checkpoints
from tests.torture.victim import announce

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
HANG_SECONDS = 300.0
MIN_COSINE = {"fp32": 0.99999, "int8": 0.98, "auto": 0.98}
COUNT = 24


class Child:
    """A forked process that prints events, in a process group of its own."""

    def __init__(self, run: Callable[[], None], log: Path) -> None:
        """Run a function in a child, with its errors in a file."""
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.dup2(write, 1)
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            status = 1
            try:
                run()
                status = 0
            except BaseException as error:  # noqa: BLE001 - must not return into the parent's code
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                sys.stdout.flush()
                os._exit(status)
        os.close(write)
        self._output = os.fdopen(read)
        self._alarm = time.monotonic() + HANG_SECONDS

    def events(self) -> Iterator[str]:
        """Yield each event, until the process ends."""
        for line in self._output:
            yield line.strip()

    def wait(self) -> int:
        """Return its status, negative for a signal."""
        self._output.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Torture:
    """A model, a teacher with images, what they give without kills, and the counts."""

    def __init__(self, folder: Path, seed: int, operations: Sequence[str]) -> None:
        """Make the models, and run each operation once without a kill."""
        self._operations = operations
        self._folder = folder
        self._random = random.Random(seed)
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.messages: list[str] = []
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

    @property
    def has_failed(self) -> bool:
        """Whether any count of FAULTS is not zero."""
        return any(self.counts[fault] for fault in FAULTS)

    def kill(self) -> None:
        """Kill one operation at a random moment, run it again, and compare the result."""
        operation = self._random.choice(self._operations)
        target = self._random.choice(TARGETS) if operation in ("int8", "auto") else "command"
        self._number += 1
        place = self._folder / f"{operation}-{self._number}"
        event = self._random.randint(1, EVENTS[operation])
        delay = self._random.uniform(0, EVENT_SECONDS)
        status, events, _ = self._run(operation, place, target=target, event=event, delay=delay)
        context = f"{operation}, kill of {target} {delay:.3f} s after event {event} {events[-1:]}"
        if len(events) < event:
            self.counts["too late"] += 1
        else:
            self.counts["kills"] += 1
            self.counts[f"kills of {operation}"] += 1
        self.counts["orphans"] += self._count_orphans(place)
        whole = {path.parent.name for path in place.glob("models/*/manifest.json")}
        status, events, result = self._run(operation, place)
        if status:
            self._note("failed", f"{context}: {(self._folder / 'log').read_text()[-400:]}")
        elif not self._is_expected(operation, result):
            self._note("different", context)
        again = [event for event in events if event.startswith("publish ")]
        if twice := [event for event in again if event.split()[1] in whole]:
            self._note("converted_twice", f"{context}: {twice}")
        if (compiled := count_compiled(place)) < self._compiled[operation]:
            self._note("not_compiled", f"{context}: {compiled}")
        if left := self._left_behind(place):
            self._note("left_behind", f"{context}: {left}")
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
                self._note("orphans", repr(orphans), count=0)
                return len(orphans)
            time.sleep(0.05)
        return 0

    def _left_behind(self, place: Path) -> list[str]:
        tmp = self._folder / "tmp"
        TemporaryFolder(tmp).remove()
        paths = [*tmp.iterdir(), *place.rglob(".new-*"), *place.rglob("*.part")]
        return [str(path.relative_to(self._folder)) for path in paths]

    def _note(self, fault: str, message: str, count: int = 1) -> None:
        self.counts[fault] += count
        self.messages.append(f"{fault}: {message}")
        print(self.messages[-1], file=sys.stderr, flush=True)


def teacher() -> dict[str, Any]:
    """A CLIP small enough to distill in a second."""
    tower = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    return {"embed_dim": 24, "vision_cfg": tower, "text_cfg": text}


def count_compiled(cache: Path) -> int:
    """Count the compiled graphs that later processes load."""
    return len(list(cache.glob("models/*/compiled/*/verified")))


def unit(rows: Any) -> Any:
    """Scale rows to length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def announce_steps() -> None:
    """Let everything that writes to the cache or the student's folder print an event."""
    for owner in (export, export_cache):
        if hasattr(owner, "save_graph"):
            announce(owner, "save_graph", lambda path, *_: f"save_graph {path.name}")
    announce(export_cache, "publish", lambda key, _: f"publish {key}")
    announce(export_cache, "save_record", lambda *_: "save_record")
    announce(export_cache, "_sync", lambda path: f"sync {path.name}")
    announce(Path, "rename", lambda path, _: f"rename {path.name}")
    announce(Path, "replace", lambda path, _: f"replace {path.name}")
    announce(int8_build, "calibrate", lambda *_: "calibrate")
    announce(int8_build, "compress", lambda *_: "compress")
    announce(openvino_runtime.Graph, "save_compiled", lambda graph, _: "save_compiled")
    announce(openvino_runtime.Graph, "_compile", lambda graph, *_: f"compile {graph.path.name}")
    announce(training_loop, "save_checkpoint", lambda *_: "save_checkpoint")


def embed(model: Path, operation: str, output: Path) -> None:
    """Open a model in a precision, converting it if needed, and save vectors of test inputs."""
    int8_build.CHECKED_IMAGES, int8_build.MIN_RECALL = 40, 0.5  # vectors of random weights
    precision.SCREENING_SECONDS = precision.TIMING_SECONDS = 0.05
    encoder = load(f"local-dir:{model}", Runtime("cpu", "openvino", operation))
    images = [encoder.preprocess(image) for image in draw_images(4)]
    with output.open("wb") as file:
        np.savez(file, texts=encoder.encode_texts(PROMPTS), images=encoder.encode_images(images))


def distill(teacher: Path, images: Path, student: Path) -> None:
    """Start or continue a distillation, unless it is finished."""
    student.parent.mkdir(exist_ok=True)
    try:
        clipsearch.distill_model(
            f"local-dir:{teacher}",
            images,
            student,
            epochs=3,
            batch_size=8,
            held_out=0.25,
            runtime=Runtime("cpu", "torch"),
        )
    except UsageError as error:
        if "finished student" not in str(error):
            raise


def strike(pid: int, target: str) -> None:
    """Kill a process, its group, or its child that calibrates, if there is one."""
    if target == "command":
        os.kill(pid, signal.SIGKILL)
    elif target == "all":
        os.killpg(pid, signal.SIGKILL)
    else:
        for child, command in processes():
            if b"calibration_process" in command and os.getpgid(child) == pid:
                os.kill(child, signal.SIGKILL)


def processes() -> Iterator[tuple[int, bytes]]:
    """Yield the id and command line of each process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes()
        except OSError:
            continue


def main() -> int:
    """Run the kills that the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--operation", action="append", choices=OPERATIONS, help="only this one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        torture = Torture(Path(folder), options.seed, options.operation or OPERATIONS)
        while torture.counts["kills"] < options.kills:
            torture.kill()
    faults = {fault: torture.counts[fault] for fault in FAULTS}
    counts = {**faults, **dict(sorted(torture.counts.items()))}
    print(json.dumps({**counts, "messages": torture.messages}, indent=2))
    return 1 if torture.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
