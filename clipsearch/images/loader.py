"""Load image files with Pillow within limits of size and memory."""

import io
from contextlib import ExitStack
from typing import BinaryIO

from PIL import Image
from PIL.ImageFile import ImageFile

from clipsearch.errors import MemoryLimitError
from clipsearch.images.animation import skip_empty_frames
from clipsearch.images.memory import decoding_cost
from clipsearch.images.openers import OPENERS
from clipsearch.images.reader import Limits, check_aspect_ratio, check_pixels
from clipsearch.images.salvage import Salvaged, salvage

_ANIMATED = {"gif", "png", "webp", "avif"}


class Loader:
    """Opens and loads one file within the limits of a call."""

    def __init__(self, format_name: str, limits: Limits) -> None:
        """The memory of what is loaded is held until `limits.held` closes."""
        self._format = format_name
        self._limits = limits
        self.size = (0, 0)
        """Width and height by the header of the file that was loaded last."""
        self._copies = 1  # in memory at a time
        self._memory = ExitStack()
        limits.held.callback(self._memory.close)

    def load(self, stream: BinaryIO, fill: int | None = None) -> ImageFile:
        """Open and load a file; with `fill`, pixels that it lacks have that value."""
        opened = OPENERS[self._format](stream)
        self.size = opened.size
        if self._format == "jpeg":
            self._reduce(opened)
        check_aspect_ratio(*self.size)
        check_pixels(*opened.size, self._limits.max_pixels)
        cost = decoding_cost(opened, self._format, self.size)
        self._memory.close()  # of an attempt before this one
        self._memory.enter_context(self._limits.memory.reserve(self._copies * cost))
        if fill is not None:
            _load_filled(opened, fill)
            return opened
        opened.load()
        if self._format in _ANIMATED:
            skip_empty_frames(opened, self._limits.max_pixels)
        return opened

    def _reduce(self, opened: ImageFile) -> None:
        """Let a JPEG be decoded at a smaller scale if that is allowed, or needed to fit."""
        width, height = opened.size
        most, min_side = self._limits.max_pixels, self._limits.min_side
        scale = next((scale for scale in (1, 2, 4) if width * height <= most * scale**2), 8)
        if scale > 1 or min_side is not None:
            side = min_side or max(width, height)
            opened.draft(None, (min(side, width // scale), min(side, height // scale)))

    def salvage(self, data: bytes, error: Exception) -> Salvaged:
        """Load what is left of a damaged file; raises `error` if that is too little."""
        self._copies = 2  # which are compared
        try:
            rest = salvage(data, self._format, lambda b, fill: self.load(io.BytesIO(b), fill))
        except MemoryLimitError:
            raise
        except Exception:  # noqa: BLE001 - the first error tells more
            raise error from None
        if rest is None:
            raise error
        return rest


def _load_filled(opened: ImageFile, fill: int) -> None:
    """Load an image over a canvas of one value, which remains where the file is cut."""
    prepare = opened.load_prepare

    def load_prepare() -> None:
        prepare()
        bands = Image.getmodebands(opened.im.mode)
        opened.im.paste(fill if bands == 1 else (fill,) * bands, (0, 0, *opened.im.size))

    opened.load_prepare = load_prepare  # type: ignore[method-assign]
    try:
        opened.load()
    except Exception:
        if opened.im is None or opened.im.size != opened.size:  # not yet rotated
            raise
        opened.tile = []  # nothing is left to load
        opened.load()
