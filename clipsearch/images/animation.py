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
    # Whether a GIF is animated costs a look at its second frame.
    if image.format != "GIF" and not getattr(image, "is_animated", False):
        return
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
        used = image.getcolors(4)
        if used is None:
            return False
        sample = image.crop((0, 0, len(used), 1))  # with the palette, and what is transparent
        sample.putdata(np.array([index for _, index in used]))
        image = sample.convert("RGBA")
    ranges = np.atleast_2d(np.array(image.getextrema(), float))
    if image.mode.endswith("A") and ranges[-1].max() == 0:
        return True
    return bool(np.ptp(ranges, axis=1).max() <= _SAME)
