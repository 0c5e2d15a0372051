"""Compare runtimes and precisions: `python -m benchmarks.speed.runtime [--model NAME]`.

Measures images and texts a second on each runtime, in each precision and batch size, and how close
the embeddings are to those of the first of them, torch in float32 if it takes part. `--chunks`
compares sizes of the parts that OpenVINO computes on one core each (0: all cores share the batch).
Without a model's name it takes a full-size ViT-B/32 with random weights, made on the spot.

All take turns in one run, so that the ratios hold on a machine whose speed drifts; the best round
of each counts. On a shared machine, compare the processor time. With `--images`, it also counts how
many of the 10 nearest neighbors of each image stay the same in each precision: the reason to offer
a precision or not.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from itertools import islice, product
from operator import methodcaller
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.agreement import lowest_cosines, neighbor_recalls
from benchmarks.speed.random_checkpoint import ARCHITECTURE, make_checkpoint
from clipsearch.models import openvino_encoder
from clipsearch.models.base import Encoder
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime

RUNTIMES = {"torch": ("fp32", "bf16"), "openvino": ("fp32", "bf16", "int8")}
"""The precisions of each runtime; the first one that takes part is the reference of all others."""
IMAGE_BATCHES = (1, 32)
TEXT_BATCHES = (1, 64)
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

    with ExitStack() as patches:
        patches.enter_context(patch.object(openvino_encoder, "length_buckets", single_group))
        if find_spec("torch"):
            from clipsearch.models import torch_runtime

            patches.enter_context(patch.object(torch_runtime, "length_buckets", single_group))
        encoder.encode_texts(texts)


def load_encoders(
    name: str, runtimes: Sequence[str], precisions: Sequence[str], chunks: Sequence[int]
) -> dict[str, Encoder]:
    """Load the model on each runtime, in each of its precisions, on OpenVINO for each chunk."""
    encoders: dict[str, Encoder] = {}
    for runtime in runtimes:
        for precision in filter(precisions.__contains__, RUNTIMES[runtime]):
            settings = Runtime(device="cpu", runtime=runtime, precision=precision)
            for chunk in chunks if runtime == "openvino" else chunks[:1]:
                part = f" {chunk or 'whole'}" if runtime == "openvino" and len(chunks) > 1 else ""
                with patch.object(openvino_encoder, "CHUNK", chunk or None):
                    encoders[f"{runtime} {precision}{part}"] = load(name, settings)
    return encoders


def time_encoders(
    encoders: Mapping[str, Encoder], sizes: Sequence[int], rounds: int, *, texts: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row for each task, batch size and encoder, with its rate relative to the first's."""
    reference = next(iter(encoders))
    pixels = encoders[reference].preprocess(synthetic_images()[0])
    tasks: dict[tuple[str, int], Callable[[Encoder], object]] = {}
    for size in sizes:
        tasks["images", size] = methodcaller("encode_images", [pixels] * size)
    for size in TEXT_BATCHES if texts else ():
        tasks["texts", size] = methodcaller("encode_texts", make_prompts(size))
        tasks["padded texts", size] = partial(encode_padded, texts=make_prompts(size))
    for (task, size), run in tasks.items():
        clocks = {"wall": time.perf_counter, "CPU": time.process_time}
        best = dict.fromkeys(product(encoders, clocks), math.inf)
        for number in range(rounds + 1):
            for name, encoder in encoders.items():
                before = {clock: read() for clock, read in clocks.items()}
                run(encoder)
                for clock, read in clocks.items():
                    if number:  # the first round compiles the models
                        best[name, clock] = min(best[name, clock], read() - before[clock])
        for name in encoders:
            yield {
                "task": task,
                "batch": size,
                "runtime": name,
                "per second": round(size / best[name, "wall"], 1),
                "x first": round(best[reference, "wall"] / best[name, "wall"], 2),
                "per CPU second": round(size / best[name, "CPU"], 1),
                "x first, CPU": round(best[reference, "CPU"] / best[name, "CPU"], 2),
            }


def main() -> None:
    """Print tables and write them to benchmark-runtime.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if not given")
    add = partial(parser.add_argument, nargs="+", help="default: %(default)s")
    add("--runtimes", choices=RUNTIMES, default=list(RUNTIMES))
    add("--precision", choices=RUNTIMES["openvino"], default=list(RUNTIMES["openvino"]))
    add("--batches", type=int, default=IMAGE_BATCHES, metavar="IMAGES")
    add("--chunks", type=int, default=[openvino_encoder.CHUNK], metavar="IMAGES")
    parser.add_argument("--no-texts", action="store_true", help="measure images only")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    parser.add_argument("--images", type=Path, help="a folder of images, to measure recall")
    parser.add_argument("--count", type=int, default=500, help="number of these images")
    options = parse_options(parser)

    name = options.model or f"local-dir:{make_checkpoint()}"
    encoders = load_encoders(name, options.runtimes, options.precision, options.chunks)
    table: list[dict[str, Any]] = []
    for row in time_encoders(encoders, options.batches, options.rounds, texts=not options.no_texts):
        if not table:
            print("  ".join(f"{title:>14}" for title in row))
        print("  ".join(f"{value:>14}" for value in row.values()), flush=True)
        table.append(row)
    reference = next(iter(encoders))
    result: dict[str, dict[str, float]] = {
        f"cosine to {reference}": lowest_cosines(encoders, reference, make_prompts(24))
    }
    if options.images:
        recalls = neighbor_recalls(encoders, reference, options.images, options.count)
        result[f"recall@10 of {reference}"] = recalls
    for title, values in result.items():
        for kind, value in values.items():
            print(f"{title}: {kind:>20} {value}")
    precisions = {kind: encoder.identity.precision for kind, encoder in encoders.items()}
    model = options.model or ARCHITECTURE
    write_result("runtime", options, precisions, model=model, table=table, **result)


if __name__ == "__main__":
    main()
