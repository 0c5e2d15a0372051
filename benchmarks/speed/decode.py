"""Compare JPEG decoders and decoding scales: `python -m benchmarks.speed.decode FOLDER`.

For each way to turn a file's bytes into an image for the embedded model: the seconds of one core,
and the cosine of the embedding to that of the full decode. simplejpeg and pyvips are included if
they are installed. The decoders take turns on each file, so that the ratios hold on a machine
whose speed drifts.
"""

import argparse
import importlib.util
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from benchmarks.machine import parse_options, write_result
from clipsearch.images.decode import decode
from clipsearch.models import registry
from clipsearch.models.embedding import embed_images

MIN_PIXELS = 6_000_000
"""Smaller images are left out."""
MAX_FILES = 40
SCALES = {"short side ≥ 1 x": 1.0, "short side ≥ 1.4 x": 1.4, "short side ≥ 2 x": 2.0}

Decoder: TypeAlias = Callable[[bytes], Image.Image]


def decoders(input_size: int) -> dict[str, Decoder]:
    """The decoders by name; `input_size` is the shorter side, in pixels, that the model takes."""

    def pillow(min_side: int | None) -> Decoder:
        return lambda data: decode(data, min_side=min_side).image

    decoders: dict[str, Decoder] = {"Pillow, full": pillow(None)}
    for name, factor in SCALES.items():
        decoders[f"Pillow, {name}"] = pillow(round(factor * input_size))
    min_side = 2 * input_size
    if importlib.util.find_spec("simplejpeg"):
        simplejpeg: Any = importlib.import_module("simplejpeg")
        decoders["simplejpeg, short side ≥ 2 x"] = lambda data: Image.fromarray(
            simplejpeg.decode_jpeg(data, min_height=min_side, min_width=min_side)
        )
    if importlib.util.find_spec("pyvips"):
        pyvips: Any = importlib.import_module("pyvips")
        decoders["libvips, thumbnail 2 x"] = lambda data: Image.fromarray(
            pyvips.Image.thumbnail_buffer(data, 8 * min_side, height=min_side).numpy()
        )
    return decoders


def main() -> None:
    """Print a table and write it to benchmark-decode.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help=f"JPEGs of {MIN_PIXELS:,} pixels or more")
    options = parse_options(parser)
    folder = options.folder
    encoder = registry.load("pocket")
    files = [path for path in sorted(folder.rglob("*.jp*g")) if _is_large(path)][:MAX_FILES]
    if not files:
        sys.exit(f"no JPEG of {MIN_PIXELS:,} pixels or more in {folder}")
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    cosines: defaultdict[str, list[float]] = defaultdict(list)
    for path in files:
        data = path.read_bytes()
        [reference] = embed_images(encoder, [decode(data).image])
        for name, decoder in decoders(encoder.input_size).items():
            started = time.process_time()
            image = decoder(data)
            encoder.preprocess(image)
            seconds[name].append(time.process_time() - started)
            [vector] = embed_images(encoder, [image])
            cosines[name].append(float(vector @ reference))
    full_decode = np.mean(seconds["Pillow, full"])
    table = [
        {
            "decoder": name,
            "ms per image": round(1000 * float(np.mean(seconds[name])), 1),
            "speed-up": round(float(full_decode / np.mean(seconds[name])), 2),
            "mean cosine": round(float(np.mean(cosines[name])), 5),
            "lowest cosine": round(float(np.min(cosines[name])), 5),
        }
        for name in seconds
    ]
    print(f"{len(files)} JPEGs of {MIN_PIXELS:,} pixels or more")
    for row in table:
        print(
            "  ".join(
                f"{value:>32}" if isinstance(value, str) else f"{value:>8}"
                for value in row.values()
            )
        )
    precisions = {"pocket": encoder.identity.precision}
    write_result("decode", options, precisions, images=len(files), table=table)


def _is_large(path: Path) -> bool:
    with Image.open(path) as image:
        return image.width * image.height >= MIN_PIXELS


if __name__ == "__main__":
    main()
