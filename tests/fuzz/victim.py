"""Decode mutants: `python -m tests.fuzz.victim MAX_MEMORY < files`.

For each line with a number of bytes, and these bytes, prints one JSON object about that file.
"""

import json
import os
import random
import sys
import time
import warnings
from pathlib import Path

from clipsearch.config import parse_size
from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from clipsearch.images.memory import PIXELS, fit_to_process, set_max_memory
from tests.helpers.image_files import encoded, scene


def outcome(data: bytes) -> tuple[str, str]:
    """Decode a file; say whether there are pixels or an ImageError, and which."""
    try:
        decoded = decode(data, min_side=random.Random(len(data)).choice((None, 320)))
    except ImageError as error:
        return "refused", str(error)
    image = decoded.image
    if image.mode != "RGB" or min(*image.size, decoded.width, decoded.height) < 1:
        return "wrong", f"{image}, {decoded.width} x {decoded.height}"
    return ("truncated" if decoded.truncated else "pixels"), ""


def family() -> list[int]:
    """The ids of this process and of its children."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text("ascii").split()
    return [own, *map(int, children)]


def peak_memory() -> int:
    """The most bytes that this process and its children had in memory since `forget_peak`."""
    total = 0
    for pid in family():
        try:
            status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) << 10
    return total


def forget_peak() -> None:
    """Let `peak_memory` begin anew."""
    for pid in family():
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
        except OSError:
            continue


def main(max_memory: str) -> None:
    """Decode what standard input names."""
    warnings.simplefilter("ignore")
    set_max_memory(parse_size(max_memory))
    for kind in ("PNG", "JPEG2000"):  # here, and in a process of its own
        decode(encoded(scene(), kind))
    fit_to_process()
    print(json.dumps({"ready": peak_memory()}), flush=True)
    while line := sys.stdin.buffer.readline():
        data = sys.stdin.buffer.read(int(line))
        forget_peak()
        started = time.perf_counter()
        kind, reason = outcome(data)
        result = {
            "outcome": kind,
            "reason": reason,
            "seconds": round(time.perf_counter() - started, 4),
            "peak": peak_memory(),
            "held": PIXELS._used,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
