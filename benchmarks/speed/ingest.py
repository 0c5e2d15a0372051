"""Measure ingestion: `python -m benchmarks.speed.ingest [--peers NAME...]`.

Large and small images, each compared with the bound of the machine: `1 / (1/encode + 1/decode)`
images a second, from two bare loops that keep all cores busy. With `--peers`, also compared with
rclip and clip-retrieval, as whole commands, with the same architecture and weights. All take turns
in one run, so that the ratios hold on a machine whose speed drifts; the best run of each counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.peers import Peer, install_clip_retrieval, install_rclip
from benchmarks.speed.random_checkpoint import ARCHITECTURE, CACHE, WEIGHTS, make_checkpoint
from benchmarks.speed.synthetic_images import LARGE, SMALL, make_images
from clipsearch import cpu
from clipsearch.batching import batches
from clipsearch.files.load import DRAFT_SCALE
from clipsearch.files.pool import Pool, ordered
from clipsearch.images.decode import decode
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.models.runtime import PRECISIONS, Runtime
from clipsearch.types import Pixels


def time_bare_loops(encoder: Encoder, paths: Sequence[Path]) -> float:
    """Seconds to decode and then encode, on all cores, without anything else."""

    def load(path: Path) -> Pixels:
        min_side = round(DRAFT_SCALE * encoder.input_size)
        return encoder.preprocess(decode(path.read_bytes(), min_side=min_side).image)

    with Pool(threads=cpu.available(), max_threads=cpu.available()) as pool:
        started = time.perf_counter()
        decoded = list(ordered(pool, load, paths, ahead=2 * BATCH))
        decoding = time.perf_counter() - started
    encode_pixels(encoder, decoded[:2])  # compiles the model
    started = time.perf_counter()
    for batch in batches(decoded, BATCH):
        encode_pixels(encoder, batch)
    return decoding + time.perf_counter() - started


def time_clipsearch(folder: Path, model: str, precision: str, *, again: bool = False) -> float:
    """Seconds of the command `clipsearch ingest`, or of a second one if `again`."""
    environment = {**os.environ, "CLIPSEARCH_PRECISION": precision}
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "clipsearch", "ingest", str(folder), "--model", model]
        command += ["--uri", str(Path(scratch, "benchmark.db"))]
        for _ in range(2 if again else 1):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            seconds = time.perf_counter() - started
        return seconds


def time_rclip(folder: Path, peer: Peer) -> float:
    """Seconds of rclip's first query in a folder, which indexes it."""
    for database in Path(peer.environment["RCLIP_DATADIR"]).glob("db.sqlite3*"):
        database.unlink()
    started = time.perf_counter()
    peer.run("-m", "rclip", "--filepath-only", "a dog", folder=folder)
    return time.perf_counter() - started


def time_clip_retrieval(folder: Path, peer: Peer) -> float:
    """Seconds of clip-retrieval's inference, with one worker process per core."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = {
            "input_dataset": str(folder),
            "output_folder": scratch,
            "clip_model": f"open_clip:{ARCHITECTURE}/{make_checkpoint() / WEIGHTS}",
            "use_jit": False,
            "enable_text": False,
            "batch_size": BATCH,
            "num_prepro_workers": cpu.available(),
        }
        program = f"from clip_retrieval import clip_inference; clip_inference(**{arguments!r})"
        started = time.perf_counter()
        peer.run("-c", program)
        return time.perf_counter() - started


def main() -> None:
    """Print a table and write it to benchmark-ingest.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", type=int, default=100, help="number of images of 12 megapixels")
    parser.add_argument(
        "--small", type=int, default=1000, help="number of images of 500 x 375 pixels"
    )
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if not given")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["auto"],
        help="precisions to compare; all ratios are to the first one",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=["rclip", "clip-retrieval"],
        default=[],
        help="measure these, too",
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    options = parse_options(parser)
    os.environ["CLIPSEARCH_WARM"] = ""

    model = options.model or f"local-dir:{make_checkpoint()}"
    encoders = {
        precision: registry.load(model, Runtime(precision=precision))
        for precision in options.precision
    }
    reference = options.precision[0]
    rows = []
    for kind, count, size in (("large", options.large, LARGE), ("small", options.small, SMALL)):
        if not count:
            continue
        folder = make_images(CACHE / f"{kind}-{count}", count, size)
        tools: dict[str, Callable[[], float]] = {}
        for precision, encoder in encoders.items():
            tools[f"bound {precision}"] = partial(
                time_bare_loops, encoder, sorted(folder.iterdir())
            )
            tools[f"clipsearch {precision}"] = partial(time_clipsearch, folder, model, precision)
        tools["clipsearch again"] = partial(time_clipsearch, folder, model, reference, again=True)
        if "rclip" in options.peers:
            tools["rclip"] = partial(time_rclip, folder, install_rclip())
        if "clip-retrieval" in options.peers:
            peer = install_clip_retrieval()
            tools["clip-retrieval"] = partial(time_clip_retrieval, folder, peer)
        seconds = defaultdict(list)
        for _ in range(options.rounds):
            for name, run in tools.items():
                seconds[name].append(run())
        for name, runs in seconds.items():
            ratio = min(runs) / min(seconds[f"clipsearch {reference}"])
            row = {
                "images": f"{count} {kind}",
                "tool": name,
                "seconds": round(min(runs), 2),
                "images/s": round(count / min(runs), 1),
                "x clipsearch's time": round(ratio, 2),
            }
            rows.append(row)
            print("  ".join(f"{value:>18}" for value in row.values()), flush=True)
    precisions = {
        f"{options.model or ARCHITECTURE}, {precision}": encoder.identity.precision
        for precision, encoder in encoders.items()
    }
    write_result("ingest", options, precisions, table=rows)


if __name__ == "__main__":
    main()
