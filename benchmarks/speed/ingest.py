"""How quickly photographs are ingested: `python -m benchmarks.speed.ingest [--peers NAME...] [--model NAME]`.

Large and small photographs, each against the bound that the machine sets: `1 / (1/encode + 1/decode)`
pictures a second, from two bare loops that keep all cores busy. With `--peers` also against rclip and
clip-retrieval, whole commands each, with the same architecture and the same weights. All take turns
in one run, so that the ratios hold on a machine whose speed drifts; of each the best run counts.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.speed.peers import Peer, clip_retrieval, rclip
from benchmarks.speed.random_checkpoint import ARCHITECTURE, CACHE, WEIGHTS, checkpoint
from benchmarks.speed.synthetic_images import LARGE, SMALL, make
from clipsearch import cpu
from clipsearch.batching import batches
from clipsearch.files.load import DRAFT_SCALE
from clipsearch.files.pool import Pool, ordered
from clipsearch.images.decode import decode
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.types import Pixels


def bare(encoder: Encoder, photos: Sequence[Path]) -> float:
    """Seconds if decoding and encoding shared the cores and nothing else cost anything."""

    def pixels(path: Path) -> Pixels:
        side = round(DRAFT_SCALE * encoder.input_size)
        return encoder.preprocess(decode(path.read_bytes(), min_side=side).image)

    with Pool(threads=cpu.available(), most=cpu.available()) as pool:
        started = time.perf_counter()
        decoded = list(ordered(pool, pixels, photos, ahead=2 * BATCH))
        decoding = time.perf_counter() - started
    encode_pixels(encoder, decoded[:2])  # compiles the model
    started = time.perf_counter()
    for batch in batches(decoded, BATCH):
        encode_pixels(encoder, batch)
    return decoding + time.perf_counter() - started


def ours(photos: Path, model: str, *, again: bool = False) -> float:
    """Seconds of `clipsearch ingest`, from start to end."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "clipsearch", "ingest", str(photos), "--model", model]
        command += ["--uri", str(Path(scratch, "benchmark.db"))]
        for _ in range(2 if again else 1):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds = time.perf_counter() - started
        return seconds


def rclips(photos: Path, peer: Peer) -> float:
    """Seconds of rclip: it indexes a folder before its first query."""
    for database in Path(peer.environment["RCLIP_DATADIR"]).glob("db.sqlite3*"):
        database.unlink()
    started = time.perf_counter()
    peer.run("-m", "rclip", "--filepath-only", "a dog", folder=photos)
    return time.perf_counter() - started


def clip_retrievals(photos: Path, peer: Peer) -> float:
    """Seconds of clip-retrieval's inference, with a worker process a core."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = {
            "input_dataset": str(photos),
            "output_folder": scratch,
            "clip_model": f"open_clip:{ARCHITECTURE}/{checkpoint() / WEIGHTS}",
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
    """Print a table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", type=int, default=100, help="photographs of 12 megapixels")
    parser.add_argument("--small", type=int, default=1000, help="photographs of 500 x 375")
    parser.add_argument("--model", default="", help=f"{ARCHITECTURE} with random weights if none")
    parser.add_argument("--peers", nargs="+", choices=["rclip", "clip-retrieval"], default=[])
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of each, of which the best counts"
    )
    wanted = parser.parse_args()
    os.environ["CLIPSEARCH_WARM"] = ""

    model = wanted.model or f"local-dir:{checkpoint()}"
    encoder = registry.load(model)
    rows = []
    for kind, count, size in (("large", wanted.large, LARGE), ("small", wanted.small, SMALL)):
        if not count:
            continue
        folder = make(CACHE / f"{kind}-{count}", count, size)
        sides: dict[str, Callable[[], float]] = {
            "bound": partial(bare, encoder, sorted(folder.iterdir())),
            "clipsearch": partial(ours, folder, model),
            "clipsearch again": partial(ours, folder, model, again=True),
        }
        if "rclip" in wanted.peers:
            sides["rclip"] = partial(rclips, folder, rclip())
        if "clip-retrieval" in wanted.peers:
            sides["clip-retrieval"] = partial(clip_retrievals, folder, clip_retrieval())
        seconds = defaultdict(list)
        for _ in range(wanted.rounds):
            for name, run in sides.items():
                seconds[name].append(run())
        for name, runs in seconds.items():
            ratio = min(runs) / min(seconds["clipsearch"])
            row = {
                "photos": f"{count} {kind}",
                "tool": name,
                "seconds": round(min(runs), 2),
                "images/s": round(count / min(runs), 1),
                "x clipsearch's time": round(ratio, 2),
            }
            rows.append(row)
            print("  ".join(f"{value:>18}" for value in row.values()), flush=True)
    machine = f"{platform.machine()}, {cpu.available()} cores, {platform.system()}"
    result = {"machine": machine, "model": wanted.model or ARCHITECTURE, "table": rows}
    Path("benchmark-ingest.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
