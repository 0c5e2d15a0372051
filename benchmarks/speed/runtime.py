"""How quickly a model computes: `python -m benchmarks.speed.runtime [--model NAME] [--photos FOLDER]`.

Pictures and texts a second on each runtime, in each precision and batch size, and how close the
vectors are to torch's in float32. Without a name a full-size ViT-B/32 with random weights, made on
the spot. All take turns in one run, so that the ratios hold on a machine whose speed drifts; of each
the best round counts. Where others use the machine too, the processor's time is the one to read. With `--photos`, also how many of the 10 nearest pictures to each picture stay
the same in each precision, the reason to offer one.
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
from benchmarks.speed.random_checkpoint import ARCHITECTURE, checkpoint
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
KINDS = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)
REFERENCE = KINDS[0]
NEIGHBOURS = 10
CONTEXT = 77
"""Tokens that a text of CLIP is filled up to."""

THINGS = [
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
TEMPLATES = ("{}", "a photo of a {}.", "a bad photo of the {}.", "a painting of one small {}.",
             "a blurry photo of a {} in the evening.", "art of the {}.")  # fmt: skip


def prompts(count: int) -> list[str]:
    """Texts of the lengths that zero-shot classification has, each another one."""
    pairs = product(range(count), THINGS, TEMPLATES)
    return [form.format(f"{thing} {n or ''}".strip()) for n, thing, form in islice(pairs, count)]


def filled_up(encoder: Encoder, texts: Sequence[str]) -> None:
    """Embed texts at the model's full length, as its own library does."""

    def one_group(lengths: Sequence[int]) -> list[tuple[list[int], int]]:
        return [(list(range(len(lengths))), CONTEXT)]

    with (
        patch.object(openvino_encoder, "by_length", one_group),
        patch.object(on_torch, "by_length", one_group),
    ):
        encoder.encode_texts(texts)


def main() -> None:
    """Print tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="", help=f"{ARCHITECTURE} with random weights if none")
    parser.add_argument("--photos", type=Path, help="a folder of photographs, for recall")
    parser.add_argument("--count", type=int, default=500, help="how many of them")
    wanted = parser.parse_args()
    name = wanted.model or f"local-dir:{checkpoint()}"

    encoders = {
        (runtime, precision): load(
            name, Runtime(device="cpu", runtime=runtime, precision=precision)
        )
        for runtime, precision in KINDS
    }
    table: list[dict[str, Any]] = []
    for row in speeds(encoders):
        if not table:
            print("  ".join(f"{title:>12}" for title in row))
        print("  ".join(f"{value:>12}" for value in row.values()), flush=True)
        table.append(row)
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {cpu.available()} cores, {platform.system()}",
        "model": wanted.model or ARCHITECTURE,
        "table": table,
    }
    result["cosine to torch fp32"] = parity(encoders)
    if wanted.photos:
        result["recall@10 of torch fp32"] = recall(encoders, wanted.photos, wanted.count)
    for title in ("cosine to torch fp32", "recall@10 of torch fp32"):
        for kind, value in result.get(title, {}).items():
            print(f"{title}: {kind:>15} {value}")
    Path("benchmark-runtime.json").write_text(json.dumps(result, indent=2) + "\n")


def speeds(encoders: dict[tuple[str, str], Encoder]) -> Iterator[dict[str, Any]]:
    """One row for each kind of work, batch size, runtime and precision."""
    array = encoders[REFERENCE].preprocess(synthetic_images()[0])
    work: dict[tuple[str, int], Callable[[Encoder], object]] = {}
    for size in IMAGE_BATCHES:
        work["images", size] = methodcaller("encode_images", [array] * size)
    for size in TEXT_BATCHES:
        work["texts", size] = methodcaller("encode_texts", prompts(size))
        work["filled up", size] = partial(filled_up, texts=prompts(size))
    for (what, size), run in work.items():
        clocks = {"wall": time.perf_counter, "CPU": time.process_time}
        best = dict.fromkeys(product(encoders, clocks), math.inf)
        for turn in range(ROUNDS + 1):
            for kind, encoder in encoders.items():
                before = {clock: read() for clock, read in clocks.items()}
                run(encoder)
                for clock, read in clocks.items():
                    if turn:  # the first one compiles
                        best[kind, clock] = min(best[kind, clock], read() - before[clock])
        for kind in encoders:
            yield {
                "what": what,
                "batch": size,
                "runtime": kind[0],
                "precision": kind[1],
                "a second": round(size / best[kind, "wall"], 1),
                "x torch": round(best[REFERENCE, "wall"] / best[kind, "wall"], 2),
                "a CPU second": round(size / best[kind, "CPU"], 1),
                "x torch's": round(best[REFERENCE, "CPU"] / best[kind, "CPU"], 2),
            }


def parity(encoders: dict[tuple[str, str], Encoder]) -> dict[str, float]:
    """The smallest cosine of each kind's vectors to the reference's, over pictures and texts."""
    texts = prompts(24)
    vectors = {
        kind: np.concatenate([embed_images(one, synthetic_images()), embed_texts(one, texts)])
        for kind, one in encoders.items()
    }
    return {
        " ".join(kind): round(float(np.sum(rows * vectors[REFERENCE], axis=1).min()), 6)
        for kind, rows in vectors.items()
    }


def recall(encoders: dict[tuple[str, str], Encoder], folder: Path, count: int) -> dict[str, float]:
    """The share of each picture's nearest pictures that are the same as the reference's."""
    found = (one.path for one in FileSource([folder]) if isinstance(one, ImageFile))
    files = list(islice(found, count))
    images: list[Image] = [decode(path, min_side=512).image for path in files]
    near = {kind: _nearest(embed_images(one, images)) for kind, one in encoders.items()}
    same = partial(np.intersect1d, assume_unique=True)
    return {
        " ".join(kind): round(
            float(np.mean([len(same(a, b)) for a, b in zip(rows, near[REFERENCE], strict=True)]))
            / NEIGHBOURS,
            4,
        )
        for kind, rows in near.items()
    }


def _nearest(vectors: Vectors) -> Any:
    """(n, 10) numbers of the most similar other rows."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1)[:, :NEIGHBOURS]


if __name__ == "__main__":
    main()
