"""Compare threads and streams of OpenVINO: `python -m benchmarks.speed.threads`.

Embeds batches of images with a converted ViT-B/32 on 1, 2, 4, 8 and 16 cores, as far as the machine
has them, in several ways to divide the cores: OpenVINO's latency mode (all cores share an image
batch), its throughput mode, and fixed numbers of streams, each of which computes one part of the
batch at a time. The options take turns in a process that is pinned to its cores; the best round of
each counts. Prints images a second, and the ratio to the throughput mode.
"""

import argparse
import itertools
import multiprocessing
import os
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.random_checkpoint import ARCHITECTURE, make_checkpoint
from clipsearch import cpu
from clipsearch.models.openvino_encoder import IMAGE
from clipsearch.models.openvino_runtime import load_openvino
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime

CORES = (1, 2, 4, 8, 16, 32, 64)
PARTS = (4, 8, 16)
ROUNDS = 3
SECONDS = 0.25


def divisions(cores: int) -> dict[str, dict[str, str]]:
    """Ways to divide some cores, as options of OpenVINO."""
    ways = {
        "latency": {"PERFORMANCE_HINT": "LATENCY"},
        "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
    }
    streams = cores
    while streams > 1:
        ways[f"{streams} streams"] = {
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(cores),
        }
        streams //= 2
    return ways


def measure(graph: Path, number: str, cores: int) -> list[tuple[str, int, int, float]]:
    """The way, size of parts, requests and images a second; runs in a process of its own."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    core = load_openvino().Core()
    shape = [int(size) for size in core.read_model(graph).input(0).partial_shape[1:].to_shape()]
    batch = np.random.default_rng(0).normal(size=(64, *shape)).astype(np.float32)
    requests = {}
    for way, options in divisions(cores).items():
        model = core.compile_model(
            str(graph), "CPU", {"INFERENCE_PRECISION_HINT": number} | options
        )
        count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        requests[way] = [model.create_infer_request() for _ in range(count)]
    runs = list(itertools.product(requests, PARTS))
    best = dict.fromkeys(runs, float("inf"))
    for number_of_round in range(ROUNDS + 1):
        for way, part in runs:
            started = time.perf_counter()
            images = _run(requests[way], batch, part)
            seconds = (time.perf_counter() - started) / images
            if number_of_round:
                best[way, part] = min(best[way, part], seconds)
    return [(way, part, len(requests[way]), 1 / best[way, part]) for way, part in runs]


def _run(requests: list[Any], batch: Any, part: int) -> int:
    """Embed parts of the batch on all requests for a while; return the number of images."""
    started, images = time.perf_counter(), 0
    running: deque[Any] = deque()
    for request, start in zip(
        itertools.cycle(requests), itertools.cycle(range(0, len(batch), part)), strict=False
    ):
        if len(running) == len(requests):
            running.popleft().wait()
            if time.perf_counter() - started > SECONDS:
                break
        request.start_async([batch[start : start + part]], share_inputs=True)
        running.append(request)
        images += part
    for request in running:
        request.wait()
    return images


def main() -> None:
    """Print a table and write it to benchmark-threads.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if not given")
    parser.add_argument(
        "--precision", nargs="+", default=["fp32", "bf16", "int8"], help="each of these"
    )
    options = parse_options(parser)
    name = options.model or f"local-dir:{make_checkpoint()}"
    table: list[dict[str, object]] = []
    precisions = {}
    context = multiprocessing.get_context("spawn")
    for precision in options.precision:
        encoder: Any = load(name, Runtime("cpu", "openvino", precision))
        precisions[f"{options.model or ARCHITECTURE}, {precision}"] = encoder.identity.precision
        number = "bf16" if "bfloat16" in encoder.identity.precision else "f32"
        for cores in (count for count in CORES if count <= cpu.available()):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                rows = pool.submit(measure, encoder.folder / IMAGE, number, cores).result()
            usual = max(rate for way, _, _, rate in rows if way == "throughput")
            for way, part, requests, rate in rows:
                row = {
                    "precision": precision,
                    "cores": cores,
                    "way": way,
                    "requests": requests,
                    "part": part,
                    "images/s": round(rate, 1),
                    "x throughput mode": round(rate / usual, 2),
                }
                if not table:
                    print("  ".join(f"{title:>12}" for title in row))
                table.append(row)
                print("  ".join(f"{value:>12}" for value in row.values()), flush=True)
    write_result("threads", options, precisions, table=table)


if __name__ == "__main__":
    main()
