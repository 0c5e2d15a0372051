"""Measure how a store grows: `python -m benchmarks.scale [--sizes 10000,100000] [--store lite]`.

Fills Milvus Lite and a server with clustered vectors, rows with paths and tags, and measures
writing, a cold command, searches, filters, a scan, tags, duplicates, deletion, memory and disk.
Then prints the exponent of each measure over the sizes, its projection to a billion rows, and the
arithmetic of the index that `--index auto` chooses for so many. A million rows need 10 GB of disk.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path

from benchmarks.machine import parse_options, write_result
from benchmarks.scale.growth import arithmetic_rows, growth_rows
from benchmarks.scale.measure import MODEL, measure
from clipsearch.models import registry

SIZES = (10_000, 100_000, 300_000)


@contextmanager
def server_uri(uri: str | None) -> Iterator[str]:
    """Yield the URI of a running server, or start the one of the package `milvus`."""
    if uri is not None:
        yield uri
        return
    from tests.helpers.milvus_binary import bundled_server
    from tests.helpers.milvus_server import wait_until_ready

    with (
        tempfile.TemporaryDirectory() as folder,
        bundled_server(Path(folder, "unpacked"), Path(folder, "data")) as server,
    ):
        wait_until_ready(server, seconds=120)
        yield server.uri


def sizes(text: str) -> list[int]:
    """Parse numbers that are separated by commas."""
    return [int(part) for part in text.split(",")]


def print_table(rows: Sequence[Mapping[str, str | float]]) -> None:
    """Print rows, one a line."""
    for row in rows:
        print("  ".join(f"{name} {value!s:<10}" for name, value in row.items()), flush=True)


def main() -> None:
    """Print the tables and write them to benchmark-scale.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--sizes", type=sizes, default=list(SIZES), help="rows, separated by commas"
    )
    parser.add_argument(
        "--store", choices=("lite", "server", "both"), default="both", help="what to measure"
    )
    parser.add_argument("--uri", help="of a running server; by default the package milvus 2.3.5")
    parser.add_argument("--folder", type=Path, help="for files and store: default, a temporary one")
    options = parse_options(parser)

    results = []
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = folder.resolve() / "files"
        files.mkdir(parents=True, exist_ok=True)
        uris = []
        if options.store != "server":
            uris.append(str(folder / "scale.db"))
        if options.store != "lite":
            uris.append(stack.enter_context(server_uri(options.uri)))
        for uri in uris:
            for rows in options.sizes:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    results.append(process.submit(measure, uri, rows, files).result())
                print_table(results[-1:])
    stores = sorted({str(result["store"]) for result in results})
    growth = [row for store in stores for row in growth_rows(results, store)]
    identity = registry.load(MODEL).identity
    arithmetic = arithmetic_rows(identity.dim)
    for table in (growth, arithmetic):
        print()
        print_table(table)
    precisions = {MODEL: identity.precision}
    write_result(
        "scale", options, precisions, measured=results, growth=growth, arithmetic=arithmetic
    )


if __name__ == "__main__":
    main()
