"""SVG drawings, drawn by resvg in a process of its own."""

import io
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from PIL.PngImagePlugin import PngImageFile

from clipsearch.config import child_environment
from clipsearch.errors import ImageError
from clipsearch.images.optional import require_decoder
from clipsearch.images.reader import Limits, ReadImage

DRAWN_SIDE = 768
"""Pixels of the shorter side of what is drawn, whatever the size that the file names."""

TIMEOUT = 30.0
"""Seconds of wall-clock time for a drawing; svg_worker.py limits the processor time."""

_BYTES = 16
"""Per pixel: two images and the PNG."""

_WORKER = Path(__file__).with_name("svg_worker.py")
_LARGEST = 1 << 20  # a drawing may name any size


def read_svg(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Draw an SVG with a transparent ground; its files and links are never opened.

    Its shorter side has `min_side` and at least DRAWN_SIDE pixels. Raises MissingDecoderError
    without resvg.
    """
    package = require_decoder("svg")
    folder = Path(str(package.__file__)).parents[1]
    side = max(DRAWN_SIDE, limits.min_side or 0)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", _WORKER, folder, str(side)],
            input=stream.read(),
            env=child_environment(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired as error:
        raise ImageError("the SVG takes too long to draw") from error
    if done.returncode == 1 and done.stderr:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1]
        raise ImageError(f"the SVG cannot be drawn ({reason[:120]})")
    if done.returncode:
        raise ImageError("the SVG needs too much time or memory to draw")
    size, _, png = done.stdout.partition(b"\n")
    image = PngImageFile(io.BytesIO(png))
    limits.admit(image.width, image.height, bytes_per_pixel=_BYTES)
    image.load()
    if image.getchannel("A").getextrema()[1] == 0:
        raise ImageError("the SVG draws nothing")
    width, height = (max(1, round(float(number))) for number in size.split())
    if max(width, height) > _LARGEST:
        width, height = image.size
    return ReadImage(image, width, height)
