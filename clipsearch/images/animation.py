"""The first frame of an animation that shows something."""

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

_SAME = 8
"""Levels, of 256, by which the pixels of an empty frame may differ after lossy compression."""

_MAX_FRAMES = 1000


def skip_empty_frames(image: ImageFile, max_pixels: int) -> None:
    """Move a loaded image to its first frame that is not of one color, or leave it at frame 0.

    Looks at frames until it has decoded `max_pixels`.
    """
    frames = min(_MAX_FRAMES, max_pixels // (image.width * image.height))
    for frame in range(1, frames):
        if not _is_empty(image):
            return
        try:
            image.seek(frame)
            image.load()
        except Exception:  # noqa: BLE001 - the last frame, or a damaged one
            break
    if _is_empty(image) and image.tell() > 0:
        image.seek(0)
        image.load()


def _is_empty(image: Image.Image) -> bool:
    """Whether all pixels have one color, or are transparent."""
    if image.mode == "P":
        if image.getcolors(4) is None:
            return False
        image = image.convert("RGBA")
    ranges = np.array([channel.getextrema() for channel in image.split()], float)
    if image.mode.endswith("A") and ranges[-1].max() == 0:
        return True
    return bool(np.ptp(ranges, axis=1).max() <= _SAME)
