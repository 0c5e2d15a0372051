"""Measure `clipsearch serve`: `python -m benchmarks.speed.serve [--peers]`.

Prints requests per second and their latency with one client and with 16, for searches by text
(every text is another), thumbnails that are made and thumbnails that are on disk. `CPU ms` is the
work of all processors for one request, which other programs hardly disturb. With `--peers`, also
searches of clip-retrieval's server, `clip-back`, and of clipsearch with the same architecture and
as many vectors.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.clip_back import INDEX, serving_clip_back
from benchmarks.speed.http_load import Client, Measurement, Server, measure, serving
from benchmarks.speed.random_checkpoint import ARCHITECTURE, CACHE, CONFIG, WEIGHTS, make_checkpoint
from benchmarks.speed.search import Row, clustered_vectors, make_store
from benchmarks.speed.synthetic_images import SMALL, make_images
from clipsearch import Filters, Index
from clipsearch.models import registry
from clipsearch.models.base import ModelIdentity
from clipsearch.models.runtime import Runtime
from clipsearch.query.condition import select_rows

CLIENTS = 16
SEARCHES = 600
IMAGES = 300
WIDTHS = (384, 256)
"""Of thumbnails: for one client, and for several."""
LIMIT = 50

ADJECTIVES = ("red", "small", "old", "wet", "bright", "broken", "wooden", "tall", "quiet", "golden")
NOUNS = ("dog", "boat", "house", "bicycle", "tree", "bird", "bridge", "child", "train", "flower")
PLACES = (
    "beach",
    "street",
    "forest",
    "hill",
    "lake",
    "market",
    "river",
    "garden",
    "church",
    "field",
)


def texts() -> Iterator[str]:
    """Yield a thousand different queries."""
    for adjective, noun, place in product(ADJECTIVES, NOUNS, PLACES):
        yield f"a {adjective} {noun} near a {place}"


def measure_searches(server: Server, clients: int, count: int) -> Measurement:
    """Search for the next texts; the first 100 are for warming up."""
    queries = list(texts())

    def search(client: Client, number: int) -> None:
        text = queries[(100 + number) % len(queries)]
        found = client.post("/v1/search", {"terms": [{"text": text}], "limit": LIMIT})
        assert len(found["hits"]) == LIMIT

    def warm_up(client: Client, number: int) -> None:
        client.post("/v1/search", {"terms": [{"text": queries[number]}], "limit": LIMIT})

    measure(server, warm_up, clients=clients, count=min(100, count))
    return measure(server, search, clients=clients, count=count)


def measure_thumbnails(server: Server, ids: list[str], clients: int, width: int) -> Measurement:
    """Fetch the thumbnail of each image once."""

    def fetch(client: Client, number: int) -> None:
        assert client.get(f"/v1/images/{ids[number]}/thumbnail?w={width}")[:4] == b"RIFF"

    return measure(server, fetch, clients=clients, count=len(ids))


def stored_ids(folder: Path, file: Path, model: str | None = None) -> list[str]:
    """Ingest the images of a folder and return their ids."""
    with Index.open(file, model=model) as index:
        index.ingest(folder)
        return [row.record.id for row in select_rows(index.collection, Filters(under=folder))]


def measure_server(scratch: Path, model: ModelIdentity, *, rows: int) -> Iterator[Row]:
    """Yield a row for each task and number of clients."""
    file = scratch / "serve.db"
    make_store(file, clustered_vectors(rows, model.dim, seed=1), model)
    ids = stored_ids(make_images(CACHE / "small-jpegs", IMAGES, SMALL), file)
    with serving(file) as server:
        yield from _rows(
            f"search by text, {model.name}",
            measure_searches(server, 1, SEARCHES // 2),
            measure_searches(server, CLIENTS, SEARCHES),
        )
        for task in ("make thumbnails", "send thumbnails"):
            yield from _rows(
                task,
                measure_thumbnails(server, ids, 1, WIDTHS[0]),
                measure_thumbnails(server, ids, CLIENTS, WIDTHS[1]),
            )


def measure_peer(scratch: Path, *, rows: int) -> Iterator[Row]:
    """Yield rows for clip-back, and for clipsearch with the same model and precision."""
    checkpoint = make_checkpoint()
    config = json.loads((checkpoint / CONFIG).read_text())
    vectors = clustered_vectors(rows, config["model_cfg"]["embed_dim"], seed=1)
    queries = list(texts())

    def search(client: Client, number: int) -> None:
        text = queries[number % len(queries)]
        options = {"modality": "image", "num_images": LIMIT, "indice_name": INDEX}
        off = dict.fromkeys(["deduplicate", "use_safety_model", "use_violence_detector"], False)
        assert client.post("/knn-service", {"text": text, **options, **off})

    with serving_clip_back(
        scratch, vectors, f"open_clip:{ARCHITECTURE}/{checkpoint / WEIGHTS}"
    ) as server:
        measure(server, search, clients=CLIENTS, count=50)
        one = measure(server, search, clients=1, count=SEARCHES // 4)
        yield from _rows("clip-back", one, measure(server, search, clients=CLIENTS, count=SEARCHES))
    runtime = Runtime.from_options("auto", None, "fp32")
    identity = registry.load(f"local-dir:{checkpoint}", runtime).identity
    file = scratch / "peer.db"
    make_store(file, vectors, identity)
    with serving(file, "--precision", "fp32") as server:
        one = measure_searches(server, 1, SEARCHES // 4)
        yield from _rows("clipsearch", one, measure_searches(server, CLIENTS, SEARCHES))


def _rows(task: str, one: Measurement, many: Measurement) -> list[Row]:
    ratio = round(many.per_second / one.per_second, 2)
    return [one.row(task), many.row(task) | {"x one client": ratio}]


def main() -> None:
    """Print the table and write it to benchmark-serve.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000, help="size of the collection")
    parser.add_argument("--model", default="pocket", help="the model of clipsearch")
    parser.add_argument("--peers", action="store_true", help="also measure clip-back")
    options = parse_options(parser)

    identity = registry.load(options.model).identity
    CACHE.mkdir(parents=True, exist_ok=True)
    table = []
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        os.environ |= {"XDG_RUNTIME_DIR": scratch, "CLIPSEARCH_CACHE": f"{scratch}/cache"}
        measured = [measure_server(Path(scratch), identity, rows=options.rows)]
        if options.peers:
            measured.append(measure_peer(Path(scratch), rows=options.rows))
        for row in chain.from_iterable(measured):
            print("  ".join(f"{name} {value!s:<8}" for name, value in row.items()), flush=True)
            table.append(row)
    write_result("serve", options, {options.model: identity.precision}, table=table)


if __name__ == "__main__":
    main()
