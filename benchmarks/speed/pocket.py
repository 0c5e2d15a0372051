"""Compare `pocket` with a ViT-B/32: `python -m benchmarks.speed.pocket [FOLDER]`.

Measures images a second. FOLDER holds another embedded model, as `training/` makes it. Both models
run on OpenVINO, on arrays in memory, by turns in one run. Most of pocket runs in int8; the
precision is that of its other layers and of ViT-B/32. The ratio of each round compares two
neighboring runs, and the median of all rounds counts.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.random_checkpoint import make_checkpoint
from clipsearch.models.base import Encoder
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.openvino_runtime import Graph, has_bf16
from clipsearch.models.pocket.encoder import CHUNK_SIZE, WEIGHTS, PocketEncoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime

ARCHITECTURE = "ViT-B-32"
IMAGES = 64
ROUNDS = 12
PRECISIONS = ("bf16", "fp32")


def main() -> None:
    """Print a table and write it to benchmark-pocket.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=WEIGHTS, help="another model")
    options = parse_options(parser)
    folder = options.folder
    vit_b_32 = f"local-dir:{make_checkpoint(ARCHITECTURE)}"
    table: list[dict[str, str | float]] = []
    precisions: dict[str, str] = {}
    for precision in PRECISIONS if has_bf16() else PRECISIONS[1:]:
        encoders = (
            _pocket(folder, precision),
            load(vit_b_32, Runtime(device="cpu", runtime="openvino", precision=precision)),
        )
        precisions[f"pocket, {precision}"] = f"int8, other layers in {precision}"
        precisions[f"{ARCHITECTURE}, {precision}"] = encoders[1].identity.precision
        seconds = _time_rounds(encoders)
        table.append(
            {
                "precision": precision,
                "pocket, images/s": round(IMAGES / median(pocket for pocket, _ in seconds), 1),
                f"{ARCHITECTURE}, images/s": round(IMAGES / median(vit for _, vit in seconds), 1),
                "ratio": round(median(vit / pocket for pocket, vit in seconds), 2),
            }
        )
        print("  ".join(f"{key}: {value:<8}" for key, value in table[-1].items()), flush=True)
    write_result("pocket", options, precisions, images=IMAGES, rounds=ROUNDS, table=table)


def _pocket(folder: Path, precision: str) -> PocketEncoder:
    encoder = PocketEncoder(folder)
    if precision == "fp32":
        encoder._image = Graph(folder / "image.xml", chunk=CHUNK_SIZE)
        encoder._head = Graph(folder / "head.xml")
    return encoder


def _time_rounds(encoders: Sequence[Encoder]) -> list[tuple[float, ...]]:
    """The seconds of each encoder in each round."""
    inputs = [[encoder.preprocess(synthetic_images()[0])] * IMAGES for encoder in encoders]
    rounds = []
    for number in range(ROUNDS + 1):
        times = []
        for encoder, pixels in zip(encoders, inputs, strict=True):
            started = time.perf_counter()
            encoder.encode_images(pixels)
            times.append(time.perf_counter() - started)
        if number:  # the first round compiles the models
            rounds.append(tuple(times))
    return rounds


if __name__ == "__main__":
    main()
