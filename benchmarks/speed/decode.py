"""Which decoder, at which scale: `python -m benchmarks.speed.decode FOLDER` of large JPEGs.

For each way from a file's bytes to a picture that the embedded model takes: seconds of one core, and
the cosine of the vector to that of the full decode. simplejpeg and pyvips take part where they are
installed. The ways take turns on each file, so that the ratios hold on a machine whose speed drifts.
"""

import importlib.util
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from clipsearch.images.decode import decode
from clipsearch.models import registry
from clipsearch.models.embedding import embed_images

LARGE = 6_000_000  # pixels: from here a file takes part
FILES = 40
SIDES = {"short side ≥ 1 x": 1.0, "short side ≥ 1.4 x": 1.4, "short side ≥ 2 x": 2.0}

Way: TypeAlias = Callable[[bytes], Image.Image]


def ways(side: int) -> dict[str, Way]:
    """The decoders by name; `side` is what the model needs of a picture's shorter side, in pixels."""

    def scaled(min_side: int | None) -> Way:
        return lambda data: decode(data, min_side=min_side).image

    found: dict[str, Way] = {"Pillow, full": scaled(None)}
    for name, factor in SIDES.items():
        found[f"Pillow, {name}"] = scaled(round(factor * side))
    if importlib.util.find_spec("simplejpeg"):
        simplejpeg: Any = importlib.import_module("simplejpeg")
        found["simplejpeg, short side ≥ 2 x"] = lambda data: Image.fromarray(
            simplejpeg.decode_jpeg(data, min_height=2 * side, min_width=2 * side)
        )
    if importlib.util.find_spec("pyvips"):
        pyvips: Any = importlib.import_module("pyvips")
        found["libvips, thumbnail 2 x"] = lambda data: Image.fromarray(
            pyvips.Image.thumbnail_buffer(data, 16 * side, height=2 * side).numpy()
        )
    return found


def main(folder: Path) -> None:
    """Print a table and write it as JSON."""
    encoder = registry.load("pocket")
    files = [path for path in sorted(folder.rglob("*.jp*g")) if _is_large(path)][:FILES]
    if not files:
        sys.exit(f"no JPEG of {LARGE:,} pixels or more in {folder}")
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    cosines: defaultdict[str, list[float]] = defaultdict(list)
    for path in files:
        data = path.read_bytes()
        [whole] = embed_images(encoder, [decode(data).image])
        for name, way in ways(encoder.input_size).items():
            started = time.process_time()
            picture = way(data)
            encoder.preprocess(picture)
            seconds[name].append(time.process_time() - started)
            [vector] = embed_images(encoder, [picture])
            cosines[name].append(float(vector @ whole))
    full = np.mean(seconds["Pillow, full"])
    table = [
        {
            "decoder": name,
            "ms a picture": round(1000 * float(np.mean(seconds[name])), 1),
            "times as fast": round(float(full / np.mean(seconds[name])), 2),
            "cosine, mean": round(float(np.mean(cosines[name])), 5),
            "cosine, least": round(float(np.min(cosines[name])), 5),
        }
        for name in seconds
    ]
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    print(f"{len(files)} JPEGs of {LARGE:,} pixels or more; {machine}")
    for row in table:
        print(
            "  ".join(
                f"{value:>32}" if isinstance(value, str) else f"{value:>8}"
                for value in row.values()
            )
        )
    result = {"machine": machine, "pictures": len(files), "table": table}
    Path("benchmark-decode.json").write_text(json.dumps(result, indent=2) + "\n")


def _is_large(path: Path) -> bool:
    with Image.open(path) as image:
        return image.width * image.height >= LARGE


if __name__ == "__main__":
    main(Path(sys.argv[1]))
