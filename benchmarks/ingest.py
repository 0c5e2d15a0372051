"""How quickly a folder is ingested, and ingested again: `python -m benchmarks.ingest FOLDER`.

Both runs and a bare loop (decode, preprocess, encode, nothing else, one thread) happen in this one
process, so that the ratios hold on a machine whose speed drifts.
"""

import json
import platform
import sys
import tempfile
import time
from pathlib import Path

from clipsearch import Index
from clipsearch.batches import batches
from clipsearch.embed import BATCH, encode_pixels
from clipsearch.images import decode
from ingest.files import Found, find
from ingest.walk import Selection

BARE = 1000  # pictures of the bare loop


def bare_seconds(index: Index, folder: Path) -> float:
    """Seconds a picture, for as many pictures as the bare loop takes."""
    files = [item.path for item in find([folder], Selection()) if isinstance(item, Found)][:BARE]
    encoder = index.encoder
    encode_pixels(encoder, [encoder.preprocess(decode(files[0]).image)])  # compiles the model
    started = time.perf_counter()
    for batch in batches(files, BATCH):
        encode_pixels(encoder, [encoder.preprocess(decode(path).image) for path in batch])
    return (time.perf_counter() - started) / len(files)


def main(folder: Path, model: str) -> None:
    """Print a table and write it as JSON."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Index.open(Path(scratch, "benchmark.db"), model=model) as index,
    ):
        bare = bare_seconds(index, folder)
        first = index.ingest(folder)
        again = index.ingest(folder)
    result = {
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "model": model,
        "pictures": first.stored,
        "bare images/s": round(1 / bare, 1),
        "ingest images/s": round(first.stored / first.seconds, 1),
        "ingest : bare": round(bare * first.stored / first.seconds, 2),
        "again, seconds": round(again.seconds, 2),
        "again, embedded": again.stored,
        "again : first": round(again.seconds / first.seconds, 4),
    }
    for name, value in result.items():
        print(f"{name:>18}  {value}")
    Path("benchmark-ingest.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "pocket")
