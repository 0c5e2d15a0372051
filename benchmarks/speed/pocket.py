"""Pictures a second of the embedded model against a ViT-B/32: `python -m benchmarks.speed.pocket [FOLDER]`.

FOLDER holds the files of another embedded model, as `training/` makes them. Both run on OpenVINO, on
arrays from memory, by turns in one run; of pocket most runs in int8, the precision is that of its rest
and of ViT-B/32. The ratio of each round is that of two neighbours in time, and
of all rounds the median counts.
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.speed.random_checkpoint import checkpoint
from clipsearch import cpu
from clipsearch.models.base import Encoder
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.openvino_runtime import Graph
from clipsearch.models.pocket.encoder import CHUNK_SIZE, WEIGHTS, PocketEncoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime

ARCHITECTURE = "ViT-B-32"
IMAGE_SUFFIXES = 64
ROUNDS = 12
PRECISIONS = ("bf16", "fp32")


def main() -> None:
    """Print a table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=WEIGHTS)
    folder = parser.parse_args().folder
    vit = f"local-dir:{checkpoint(ARCHITECTURE)}"
    table: list[dict[str, str | float]] = []
    for precision in PRECISIONS:
        encoders = (
            _pocket(folder, precision),
            load(vit, Runtime(device="cpu", runtime="openvino", precision=precision)),
        )
        seconds = _seconds(encoders)
        table.append(
            {
                "precision": precision,
                "pocket, a second": round(IMAGE_SUFFIXES / median(own for own, _ in seconds), 1),
                f"{ARCHITECTURE}, a second": round(
                    IMAGE_SUFFIXES / median(its for _, its in seconds), 1
                ),
                "times": round(median(its / own for own, its in seconds), 2),
            }
        )
        print("  ".join(f"{key}: {value:<8}" for key, value in table[-1].items()), flush=True)
    machine = f"{platform.machine()}, {cpu.available()} cores, {platform.system()}"
    result = {"machine": machine, "pictures": IMAGE_SUFFIXES, "rounds": ROUNDS, "table": table}
    Path("benchmark-pocket.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _pocket(folder: Path, precision: str) -> PocketEncoder:
    encoder = PocketEncoder(folder)
    if precision == "fp32":
        encoder._image = Graph(folder / "image.xml", chunk=CHUNK_SIZE)
        encoder._head = Graph(folder / "head.xml")
    return encoder


def _seconds(encoders: Sequence[Encoder]) -> list[tuple[float, ...]]:
    """The seconds of each encoder in each round."""
    arrays = [[one.preprocess(synthetic_images()[0])] * IMAGE_SUFFIXES for one in encoders]
    rounds = []
    for turn in range(ROUNDS + 1):
        times = []
        for encoder, pictures in zip(encoders, arrays, strict=True):
            started = time.perf_counter()
            encoder.encode_images(pictures)
            times.append(time.perf_counter() - started)
        if turn:  # the first one compiles
            rounds.append(tuple(times))
    return rounds


if __name__ == "__main__":
    main()
