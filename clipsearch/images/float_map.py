"""Portable float maps in color (PF); Pillow reads the gray ones (Pf) only."""

import re
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from clipsearch.images.samples import color_to_bytes

_HEADER = re.compile(
    rb"PF\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s+([+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)\s"
)


class FloatMapFile(ImageFile):
    """A file of three 32-bit floats per pixel, from the last row to the first."""

    format = "PPM"
    format_description = "Portable float map"
    bytes_per_pixel = 32
    """What decoding takes."""

    def _open(self) -> None:
        assert self.fp is not None
        header = _HEADER.match(self.fp.read(4096))
        if header is None:
            raise SyntaxError("not a portable float map")
        self._size = int(header[1]), int(header[2])
        self._mode = "RGB"
        self._start = header.end()
        self._type = "<f4" if float(header[3]) < 0 else ">f4"

    def load(self) -> Any:
        if self._im is None:
            assert self.fp is not None
            width, height = self.size
            self.fp.seek(self._start)
            data = self.fp.read(12 * width * height)
            if len(data) < 12 * width * height:
                raise EOFError
            values = np.frombuffer(data, self._type).reshape(height, width, 3)
            self.im = Image.fromarray(color_to_bytes(values)[::-1].copy()).im
        return Image.Image.load(self)
