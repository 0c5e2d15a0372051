"""Decode what is left of files that are cut, or whose metadata is damaged."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from clipsearch.images.metadata_repair import large_icc_profile, without_metadata

MAX_MISSING = 0.25
"""A file is refused if more than this share of its rows is missing. The vector of the rest then has
a median cosine of 0.91 to that of the whole image (`pocket`, 149 images)."""

Loader = Callable[[bytes, int | None], ImageFile]
"""Opens and loads a whole file. With a fill value, 0 or 255, rows that the file lacks have that
value instead of raising an error."""

# Any bytes without 0xff, the mark of JPEG: pixels that depend on them are not in the file.
_JUNK = bytes((167 * number + 13) % 251 for number in range(4096))
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A loaded image; `rows` are the first and the end of those that its file has.

    `truncated` means that the file lacks some pixels, or of a progressive JPEG some sharpness.
    """

    image: Image.Image
    rows: tuple[int, int]
    truncated: bool


def salvage(data: bytes, format_name: str, load: Loader) -> Salvaged | None:
    """Decode a file that a strict decoder refuses; None if too few of its pixels are left.

    May raise whatever `load` raises.
    """
    repaired = list(without_metadata(data, format_name)) or [data]
    for candidate in repaired:
        with suppress(Exception):  # pixels are missing or damaged, or it needs another repair
            image = load(candidate, None)
            if format_name == "png" and (profile := large_icc_profile(data)):
                image.info["icc_profile"] = profile
            return Salvaged(image, (0, image.height), truncated=False)
    for candidate in repaired[:-1]:
        with suppress(Exception):
            return _salvage_cut(candidate, format_name, load)
    return _salvage_cut(repaired[-1], format_name, load)


def _salvage_cut(data: bytes, format_name: str, load: Loader) -> Salvaged | None:
    """Decode a cut file twice, with different values for what is missing, and compare."""
    if format_name == "jpeg":
        # Some programs reserve the space of a file before they write it.
        data = data.rstrip(b"\0\xff")
        one, other = (load(data + tail + _JPEG_END, None) for tail in (b"", _JUNK))
        if b"\xff\xc2" in data:
            return _progressive(data, one, other)
    elif format_name in ("png", "gif", "bmp", "ppm", "tiff"):
        one, other = (load(data, fill) for fill in (0, 255))
    else:
        return None
    start, end = _equal_rows(one, other)
    if end - start < (1 - MAX_MISSING) * one.height:
        return None
    return Salvaged(one, (start, end), truncated=end - start < one.height)


def _progressive(data: bytes, one: ImageFile, other: ImageFile) -> Salvaged | None:
    """The image of a progressive JPEG; None if it ends before each coefficient had a scan.

    Later scans add sharpness only.
    """
    coefficients, refined = _scanned(data)
    if not coefficients:
        return None
    rows = (0, one.height)
    return Salvaged(one, rows, truncated=not refined or _equal_rows(one, other) != rows)


def _equal_rows(one: Image.Image, other: Image.Image) -> tuple[int, int]:
    """The longest run of rows, first and end, in which two images of one size are equal."""
    first, second = np.asarray(one), np.asarray(other)
    unequal = [row for row in range(len(first)) if not np.array_equal(first[row], second[row])]
    bounds = [-1, *unequal, len(first)]
    runs = [(before + 1, after) for before, after in pairwise(bounds)]
    return max(runs, key=lambda run: run[1] - run[0])


def _scanned(data: bytes) -> tuple[bool, bool]:
    """Whether scans of all coefficients have begun, and those of their last bits.

    A scan's header has its components, the first and last coefficient of 64, and the lowest bit
    (ITU-T T.81, B.2.3 and G.1.1.1).
    """
    frame = re.search(rb"\xff\xc2\0.\x08.{4}([\x01-\x04])", data, re.S)
    if frame is None:
        return False, False
    known = data[frame.end() : frame.end() + 3 * frame[1][0] : 3]
    seen = {(component, at): 16 for component in known for at in range(64)}
    for scan in re.finditer(rb"\xff\xda\0.([\x01-\x04])", data[frame.end() :], re.S):
        at = frame.end() + scan.end()
        end = at + 2 * scan[1][0]
        if end + 3 > len(data):
            break
        first, last, bits = data[end : end + 3]
        for component in data[at:end:2]:
            seen |= {(component, place): bits & 15 for place in range(first, last + 1)}
    return max(seen.values()) < 16, max(seen.values()) == 0
