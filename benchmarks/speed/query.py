"""How quickly a query is answered: `python -m benchmarks.speed.query [--rows N ...] [--peers]`.

Two tables for each number of rows, which all take turns in one run, so that the ratios hold on a
machine whose speed drifts:
- one search in a process that has everything open, against numpy's exact one, and FAISS where it is
  installed (flat and HNSW), with the recall of the ten nearest;
- a whole command, cold and with a warm process, and with `--peers` rclip's on the same vectors.

The vectors are random, of unit length and in clusters; a million rows ask for 16 GB of memory.
"""

import argparse
import importlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.speed.peers import Peer, rclip
from benchmarks.speed.random_checkpoint import ARCHITECTURE, CACHE, checkpoint
from clipsearch import Index, cpu
from clipsearch.images.hashing import image_id
from clipsearch.models import registry
from clipsearch.models.base import ModelIdentity
from clipsearch.store import Store
from clipsearch.types import ImageRecord, ImageRow, Vectors

ROWS = (1_000, 10_000, 100_000)
SEARCHES = 60
COMMANDS = 7
TOP = 10
CLUSTERS = 300
SPREAD = 0.6  # length of the noise around a cluster's middle, whose length is 1
TEXT = "two dogs on a beach"
PHOTOS = Path("/photos")

Side: TypeAlias = Callable[[Vectors], list[int]]
Row: TypeAlias = dict[str, str | int | float]

FILL_RCLIP = """
import sys
import numpy as np
from rclip.db import DB, NewImage
vectors, database = np.load(sys.argv[1], mmap_mode="r"), DB(sys.argv[2])
for number, vector in enumerate(vectors):
    database.upsert_image(NewImage(
        filepath=f"{sys.argv[3]}/{number // 500:04}/{number:07}.jpg",
        modified_at=0.0, size=1, vector=vector.tobytes(), hash=str(number)), commit=False)
database.close()
"""


def clustered(count: int, dim: int, seed: int) -> Vectors:
    """(count, dim) float32 of length 1, around CLUSTERS middles that are the same for every seed."""
    middles = np.random.default_rng(0).standard_normal((CLUSTERS, dim)).astype(np.float32)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, dim), dtype=np.float32) * np.float32(SPREAD / dim**0.5)
    vectors += middles[random.integers(0, CLUSTERS, count)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def path_of(number: int) -> Path:
    """Where the photograph of a vector would lie."""
    return PHOTOS / f"{number // 500:04}" / f"{number:07}.jpg"


def fill(file: Path, vectors: Vectors, model: ModelIdentity) -> None:
    """A store of these vectors, made once."""
    if file.exists():
        return
    unfinished = file.with_name(f"part-{file.name}")
    unfinished.unlink(missing_ok=True)
    with Store.open(unfinished) as store:
        images = store.create("images", model)
        for start in range(0, len(vectors), 2_000):
            part = vectors[start : start + 2_000]
            images.upsert([_row(start + place, vector) for place, vector in enumerate(part)])
        images.finish_writes()
    unfinished.rename(file)


def _row(number: int, vector: Vectors) -> ImageRow:
    path, content = path_of(number), f"{number:032x}"
    photo = ImageRecord(image_id(path), path, content, 3_000_000, 0, 4000, 3000, "jpeg", None)
    return ImageRow(photo, vector)


def in_process(vectors: Vectors, index: Index) -> dict[str, Side]:
    """Each way to find the TOP rows nearest to a query, by their numbers."""

    def exact(query: Vectors) -> list[int]:
        scores = vectors @ query
        best = np.argpartition(-scores, TOP)[:TOP]
        return [int(number) for number in best[np.argsort(-scores[best])]]

    def stored(query: Vectors) -> list[int]:
        [hits] = index.collection.search(query, limit=TOP)
        return [int(hit.path.stem) for hit in hits]

    def by_text(_: Vectors) -> list[int]:
        return [int(hit.path.stem) for hit in index.search(TEXT, limit=TOP)]

    def text(_: Vectors) -> list[int]:
        index.embed_texts([TEXT])
        return []

    sides: dict[str, Side] = {"numpy": exact, "Milvus Lite": stored}
    if importlib.util.find_spec("faiss"):
        faiss: Any = importlib.import_module("faiss")
        flat = faiss.IndexFlatIP(vectors.shape[1])
        graph = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 128
        for name, made in (("FAISS flat", flat), ("FAISS HNSW", graph)):
            made.add(vectors)
            sides[name] = lambda query, made=made: made.search(query[None], TOP)[1][0].tolist()  # type: ignore[misc]
    return sides | {"Index.search(text)": by_text, "the encoder alone": text}


def time_searches(vectors: Vectors, index: Index) -> Iterator[Row]:
    """A row for each side, on queries near rows."""
    queries = clustered(SEARCHES, vectors.shape[1], seed=2)
    sides = in_process(vectors, index)
    for side in sides.values():
        side(queries[0]), side(queries[1])
    seconds, found = defaultdict(list), defaultdict(list)
    for query in queries:
        for name, side in sides.items():
            started = time.perf_counter()
            found[name].append(side(query))
            seconds[name].append(time.perf_counter() - started)
    reference = float(np.median(seconds["numpy"]))
    for name, times in seconds.items():
        right = [len({*a} & {*b}) / TOP for a, b in zip(found[name], found["numpy"], strict=True)]
        asked = name not in ("Index.search(text)", "the encoder alone")
        row = _measured(len(vectors), name, times, "x numpy", reference)
        if asked:
            row["recall@10"] = round(float(np.mean(right)), 3)
        yield row


@contextmanager
def commands(
    vectors: Vectors, file: Path, *, peers: bool
) -> Iterator[Mapping[str, Callable[[], object]]]:
    """Each whole command that answers one text."""
    with tempfile.TemporaryDirectory() as scratch:
        held = Path(shutil.copy(file, Path(scratch, "warm.db")))
        ours = [sys.executable, "-m", "clipsearch"]

        def run(*arguments: str) -> None:
            subprocess.run([*ours, *arguments], check=True, capture_output=True)

        sides: dict[str, Callable[[], object]] = {
            "clipsearch, cold": lambda: run("query", TEXT, "--uri", str(file)),
            "clipsearch, warm": lambda: run("query", TEXT, "--uri", str(held)),
        }
        if peers:
            peer, folder = _filled_rclip(vectors, Path(scratch))
            sides["rclip"] = lambda: peer.run(
                "-m", "rclip", "--no-indexing", "--filepath-only", TEXT, folder=folder
            )
        run("warm", "--uri", str(held), "--for", "1h")
        try:
            yield sides
            run("warm", "--status", "--uri", str(held))  # it is an error if it was not there
        finally:
            run("warm", "--stop", "--uri", str(held))


def _filled_rclip(vectors: Vectors, scratch: Path) -> tuple[Peer, Path]:
    """Rclip with these vectors in a database of its own, and the folder that it thinks they are of."""
    peer = rclip()
    made, data, folder = Path(peer.environment["RCLIP_DATADIR"]), scratch / "rclip", scratch / "in"
    data.mkdir()
    folder.mkdir()
    for part in made.iterdir():
        if part.is_dir():
            (data / part.name).symlink_to(part)
    peer = Peer(peer.python, {**peer.environment, "RCLIP_DATADIR": str(data)})
    np.save(scratch / "vectors.npy", vectors)
    arguments = (scratch / "vectors.npy", data / "db.sqlite3", folder)
    peer.run("-c", FILL_RCLIP, *map(str, arguments))
    return peer, folder


def time_commands(vectors: Vectors, file: Path, *, peers: bool, rounds: int) -> Iterator[Row]:
    """A row for each command."""
    seconds = defaultdict(list)
    with commands(vectors, file, peers=peers) as sides:
        for number in range(rounds + 1):
            for name, side in sides.items():
                started = time.perf_counter()
                side()
                if number:  # the first round fills caches of files
                    seconds[name].append(time.perf_counter() - started)
    reference = float(np.median(seconds["rclip" if peers else "clipsearch, cold"]))
    for name, times in seconds.items():
        yield _measured(len(vectors), name, times, "x rclip" if peers else "x cold", reference)


def _measured(rows: int, name: str, seconds: list[float], ratio: str, reference: float) -> Row:
    middle, slow = np.percentile(seconds, (50, 95))
    return {
        "rows": rows,
        "what": name,
        "p50 ms": round(float(middle) * 1e3, 1),
        "p95 ms": round(float(slow) * 1e3, 1),
        ratio: round(float(middle) / reference, 2),
    }


def main() -> None:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if none")
    parser.add_argument("--peers", action="store_true", help="also rclip")
    parser.add_argument("--rounds", type=int, default=COMMANDS, help="of whole commands")
    wanted = parser.parse_args()

    model = wanted.model or f"local-dir:{checkpoint()}"
    identity = registry.load(model).identity
    folder = CACHE / "query"
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    with tempfile.TemporaryDirectory() as runtime:
        os.environ |= {"XDG_RUNTIME_DIR": runtime, "CLIPSEARCH_WARM": ""}
        for rows in wanted.rows:
            vectors = clustered(rows, identity.dim, seed=1)
            file = folder / f"{identity.weights[:12]}-{rows}.db"
            fill(file, vectors, identity)
            with Index.open(file) as index:
                measured = list(time_searches(vectors, index))
            measured += time_commands(vectors, file, peers=wanted.peers, rounds=wanted.rounds)
            for row in measured:
                print("  ".join(f"{name} {value!s:<20}" for name, value in row.items()), flush=True)
            table += measured
    machine = f"{platform.machine()}, {cpu.available()} cores, {platform.system()}"
    print(machine)
    result = {"machine": machine, "model": wanted.model or ARCHITECTURE, "table": table}
    Path("benchmark-query.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
