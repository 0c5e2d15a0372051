"""Compare runtimes and precisions: `python -m benchmarks.speed.runtime [--model NAME]`.

Measures images and texts a second on each runtime, in each precision and batch size, and how close
the embeddings are to torch's in float32. Without a model's name it takes a full-size ViT-B/32 with
random weights, made on the spot. All take turns in one run, so that the ratios hold on a machine
whose speed drifts; the best round of each counts. On a shared machine, compare the processor time.
With `--images`, it also counts how many of the 10 nearest neighbors of each image stay the same in
each precision: the reason to offer a precision or not.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice, product
from operator import methodcaller
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL.Image import Image

import clipsearch.models.torch_runtime as on_torch
from benchmarks.speed.random_checkpoint import ARCHITECTURE, make_checkpoint
from clipsearch import cpu
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.images.decode import decode
from clipsearch.models import openvino_encoder
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors

ROUNDS = 3
IMAGE_BATCHES = (1, 32)
TEXT_BATCHES = (1, 64)
CONFIGURATIONS = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)
REFERENCE = CONFIGURATIONS[0]
NEIGHBORS = 10
CONTEXT = 77
"""Tokens to which CLIP pads a text."""

OBJECTS = [
    "dog",
    "cat",
    "house",
    "tree",
    "car",
    "river",
    "bridge",
    "child",
    "boat",
    "mountain",
    "street",
    "horse",
]
TEMPLATES = (
    "{}",
    "a photo of a {}.",
    "a bad photo of the {}.",
    "a painting of one small {}.",
    "a blurry photo of a {} in the evening.",
    "art of the {}.",
)


def make_prompts(count: int) -> list[str]:
    """Different texts with the lengths of those of zero-shot classification."""
    combinations = islice(product(range(count), OBJECTS, TEMPLATES), count)
    return [template.format(f"{name} {n or ''}".strip()) for n, name, template in combinations]


def encode_padded(encoder: Encoder, texts: Sequence[str]) -> None:
    """Embed texts padded to the model's full length, as the model's own library does."""

    def single_group(lengths: Sequence[int]) -> list[tuple[list[int], int]]:
        return [(list(range(len(lengths))), CONTEXT)]

    with (
        patch.object(openvino_encoder, "length_buckets", single_group),
        patch.object(on_torch, "length_buckets", single_group),
    ):
        encoder.encode_texts(texts)


def main() -> None:
    """Print tables and write them to benchmark-runtime.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if not given")
    parser.add_argument("--images", type=Path, help="a folder of images, to measure recall")
    parser.add_argument("--count", type=int, default=500, help="number of these images")
    options = parser.parse_args()
    name = options.model or f"local-dir:{make_checkpoint()}"

    encoders = {
        (runtime, precision): load(
            name, Runtime(device="cpu", runtime=runtime, precision=precision)
        )
        for runtime, precision in CONFIGURATIONS
    }
    table: list[dict[str, Any]] = []
    for row in time_encoders(encoders):
        if not table:
            print("  ".join(f"{title:>12}" for title in row))
        print("  ".join(f"{value:>12}" for value in row.values()), flush=True)
        table.append(row)
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {cpu.available()} cores, {platform.system()}",
        "model": options.model or ARCHITECTURE,
        "table": table,
    }
    result["cosine to torch fp32"] = lowest_cosines(encoders)
    if options.images:
        result["recall@10 of torch fp32"] = neighbor_recall(encoders, options.images, options.count)
    for title in ("cosine to torch fp32", "recall@10 of torch fp32"):
        for kind, value in result.get(title, {}).items():
            print(f"{title}: {kind:>15} {value}")
    Path("benchmark-runtime.json").write_text(json.dumps(result, indent=2) + "\n")


def time_encoders(encoders: dict[tuple[str, str], Encoder]) -> Iterator[dict[str, Any]]:
    """Yield a row for each task, batch size, runtime and precision."""
    pixels = encoders[REFERENCE].preprocess(synthetic_images()[0])
    tasks: dict[tuple[str, int], Callable[[Encoder], object]] = {}
    for size in IMAGE_BATCHES:
        tasks["images", size] = methodcaller("encode_images", [pixels] * size)
    for size in TEXT_BATCHES:
        tasks["texts", size] = methodcaller("encode_texts", make_prompts(size))
        tasks["padded texts", size] = partial(encode_padded, texts=make_prompts(size))
    for (task, size), run in tasks.items():
        clocks = {"wall": time.perf_counter, "CPU": time.process_time}
        best = dict.fromkeys(product(encoders, clocks), math.inf)
        for number in range(ROUNDS + 1):
            for kind, encoder in encoders.items():
                before = {clock: read() for clock, read in clocks.items()}
                run(encoder)
                for clock, read in clocks.items():
                    if number:  # the first round compiles the models
                        best[kind, clock] = min(best[kind, clock], read() - before[clock])
        for kind in encoders:
            yield {
                "task": task,
                "batch": size,
                "runtime": kind[0],
                "precision": kind[1],
                "per second": round(size / best[kind, "wall"], 1),
                "x torch": round(best[REFERENCE, "wall"] / best[kind, "wall"], 2),
                "per CPU second": round(size / best[kind, "CPU"], 1),
                "x torch, CPU": round(best[REFERENCE, "CPU"] / best[kind, "CPU"], 2),
            }


def lowest_cosines(encoders: dict[tuple[str, str], Encoder]) -> dict[str, float]:
    """The lowest cosine to the vectors of the reference, over images and texts."""
    texts = make_prompts(24)
    vectors = {
        kind: np.concatenate(
            [embed_images(encoder, synthetic_images()), embed_texts(encoder, texts)]
        )
        for kind, encoder in encoders.items()
    }
    return {
        " ".join(kind): round(float(np.sum(rows * vectors[REFERENCE], axis=1).min()), 6)
        for kind, rows in vectors.items()
    }


def neighbor_recall(
    encoders: dict[tuple[str, str], Encoder], folder: Path, count: int
) -> dict[str, float]:
    """The share of the nearest neighbors of each image that the reference finds too."""
    files = (file.path for file in FileSource([folder]) if isinstance(file, ImageFile))
    images: list[Image] = [decode(path, min_side=512).image for path in islice(files, count)]
    neighbors = {
        kind: _nearest(embed_images(encoder, images)) for kind, encoder in encoders.items()
    }
    common = partial(np.intersect1d, assume_unique=True)
    return {
        " ".join(kind): round(
            float(
                np.mean(
                    [len(common(a, b)) for a, b in zip(rows, neighbors[REFERENCE], strict=True)]
                )
            )
            / NEIGHBORS,
            4,
        )
        for kind, rows in neighbors.items()
    }


def _nearest(vectors: Vectors) -> Any:
    """The indices (n, 10) of the most similar other rows."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1)[:, :NEIGHBORS]


if __name__ == "__main__":
    main()
