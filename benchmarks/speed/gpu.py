"""Measure a GPU: `python -m benchmarks.speed.gpu [--models NAME...] [--quick]`.

Three rates tell what limits an ingestion: how many JPEGs a second the cores decode, how many images
in memory the GPU embeds, and how many files are ingested. The last two compare clipsearch with
plain use of open_clip in the same precision, and with float32, by turns in one run; the best round
of each counts. The models have random weights.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.random_checkpoint import CACHE, make_checkpoint
from benchmarks.speed.synthetic_images import LARGE, SMALL, make_images
from clipsearch import cpu
from clipsearch.files.discover import FileSource
from clipsearch.files.load import DRAFT_SCALE
from clipsearch.files.pool import Pool, ordered
from clipsearch.images.decode import decode
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.store import Store
from ingest.options import IngestOptions
from ingest.pipeline import ingest

MODELS = ("ViT-B-32", "ViT-L-14")
BATCHES = (BATCH, 256)
CLIP = Preprocessing.from_open_clip(
    {"size": 224, "resize_mode": "shortest", "interpolation": "bicubic", "mean": 0.5, "std": 0.25}
)

Row: TypeAlias = dict[str, Any]


def time_decoding(kind: str, paths: Sequence[Path]) -> Iterator[Row]:
    """JPEGs a second of one core, of one process per core, and of the threads of an ingestion."""
    cores = cpu.available()
    alone = paths[::cores]
    with ProcessPoolExecutor(cores) as processes:
        in_processes = partial(processes.map, prepare, chunksize=max(1, len(alone) // 8))
        steps = {
            "1 core": (lambda: [prepare(path) for path in alone], len(alone)),
            f"{cores} processes": (lambda: list(in_processes(paths)), len(paths)),
            f"threads on {cores} cores": (lambda: decode_in_threads(paths), len(paths)),
        }
        for how, (step, count) in steps.items():
            seconds = min(_seconds(step) for _ in range(2))  # the first one fills the page cache
            yield {
                "measured": "decode",
                "subject": kind,
                "side": how,
                "per second": round(count / seconds, 1),
            }


def decode_in_threads(paths: Sequence[Path]) -> None:
    """Decode with the pool of threads that an ingestion uses."""
    with Pool() as pool:
        for _ in ordered(pool, prepare, paths, ahead=2 * BATCH):
            pass


def prepare(path: Path) -> int:
    """Decode and resize one JPEG as an ingestion does; return the bytes of the result."""
    min_side = round(DRAFT_SCALE * max(CLIP.size))
    return CLIP.to_bytes(decode(path.read_bytes(), min_side=min_side).image).nbytes


def time_encoding(
    model: str, sides: Mapping[str, Encoder], batch: int, images: int, rounds: int
) -> Iterator[Row]:
    """Images a second of each side, from preprocessed images in memory to vectors in memory."""
    steps: dict[str, Callable[[], object]] = {}
    repeats = max(1, images // batch)
    for name, side in sides.items():
        pixels = [side.preprocess(synthetic_images()[0]).copy() for _ in range(batch)]
        steps[name] = partial(_repeat, partial(side.encode_images, pixels), repeats)
    measured = f"encode, batch {batch}"
    yield from _by_turns({"measured": measured, "subject": model}, steps, batch * repeats, rounds)


def time_ingestion(
    subject: str, sides: Mapping[str, Encoder], folder: Path, rounds: int
) -> Iterator[Row]:
    """Images a second of each side, from files to a new collection, in this process."""

    def run(encoder: Encoder) -> None:
        with (
            tempfile.TemporaryDirectory() as scratch,
            Store.open(Path(scratch, "benchmark.db")) as store,
        ):
            collection = store.create("images", encoder.identity)
            report = ingest(FileSource([folder]), collection, encoder, IngestOptions())
            assert report.stored, report

    steps = {name: partial(run, side) for name, side in sides.items()}
    count = len(list(folder.iterdir()))
    yield from _by_turns({"measured": "ingest", "subject": subject}, steps, count, rounds)


def _by_turns(
    common: Row, steps: Mapping[str, Callable[[], object]], count: int, rounds: int
) -> Iterator[Row]:
    """A row for each side: its rate, and how many times the first one's that is."""
    best: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, step in steps.items():
            seconds = _seconds(step)
            if number:  # the first round chooses kernels and fills the page cache
                best[name] = min(best.get(name, seconds), seconds)
    reference = next(iter(best.values()))
    for name, seconds in best.items():
        ratio = round(reference / seconds, 2)
        yield common | {"side": name, "per second": round(count / seconds, 1), "x first": ratio}


def _repeat(step: Callable[[], object], times: int) -> None:
    for _ in range(times):
        step()


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def load_sides(model: str, device: str) -> dict[str, Encoder]:
    """Load a model with random weights in each way that is compared."""
    from benchmarks.speed.plain_open_clip import PlainEncoder
    from clipsearch.models.torch_runtime import pick_device

    load = partial(registry.load, f"local-dir:{make_checkpoint(model)}")
    encoder: Any = load(Runtime(device, runtime="torch"))
    return {
        "plain": PlainEncoder(encoder, pick_device(device)),
        "clipsearch": encoder,
        "clipsearch fp32": load(Runtime(device, runtime="torch", precision="fp32")),
    }


def main() -> None:
    """Print a table and write it to benchmark-gpu.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="a device of torch")
    parser.add_argument("--models", nargs="+", default=MODELS, help="architectures of open_clip")
    parser.add_argument("--small", type=int, default=4000, help="images of 500 x 375 to ingest")
    parser.add_argument("--large", type=int, default=200, help="images of 12 megapixels to ingest")
    parser.add_argument("--images", type=int, default=2048, help="images to embed in each round")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    parser.add_argument("--quick", action="store_true", help="few images and rounds, to try it out")
    options = parse_options(parser)
    if options.quick:
        options.small, options.large, options.images, options.rounds = 20, 2, 8, 1

    table: list[Row] = []

    def add(rows: Iterator[Row]) -> None:
        for row in rows:
            table.append(row)
            print("  ".join(f"{value:>20}" for value in row.values()), flush=True)

    folders = {
        kind: make_images(CACHE / f"{kind}-{count}", count, size)
        for kind, count, size in (("small", options.small, SMALL), ("large", options.large, LARGE))
        if count
    }
    for kind, folder in folders.items():  # before torch starts threads: the processes are forks
        add(time_decoding(kind, sorted(folder.iterdir())))
    precisions: dict[str, str] = {}
    for model in options.models:
        sides = load_sides(model, options.device)
        for name, side in sides.items():
            precisions[f"{model}, {name}"] = side.identity.precision
        for batch in (8,) if options.quick else BATCHES:
            add(time_encoding(model, sides, batch, options.images, options.rounds))
        for kind, folder in folders.items():
            add(time_ingestion(f"{model}, {kind}", sides, folder, options.rounds))
    device = device_name(options.device)
    print(f"device: {device}")
    write_result("gpu", options, precisions, device=device, table=table)


def device_name(name: str) -> str:
    """The name of a GPU, or the type of another device."""
    import torch

    from clipsearch.models.torch_runtime import pick_device

    device = pick_device(name)
    return str(torch.cuda.get_device_name(device) if device.type == "cuda" else device.type)


if __name__ == "__main__":
    main()
