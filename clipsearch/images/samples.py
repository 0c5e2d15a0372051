"""Samples of any type and range as 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Samples = NDArray[Any]
"""Numbers of any type, in an array of any shape."""


def gray_to_bytes(values: Samples, *, full_range: bool) -> Bytes:
    """Scale the samples of a gray image to uint8.

    With `full_range`, 65535 is white in 16 bits. Otherwise white is the largest number of 8, 10,
    12, 14 or 16 bits that the samples need. Larger integers, negative ones and floats are stretched
    as in `color_to_bytes`.
    """
    if values.dtype.kind in "iu" and values.itemsize > 1:
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if low >= 0 and high <= 65535:
            sizes = (16,) if full_range else (8, 10, 12, 14, 16)
            bits = next(bits for bits in sizes if high < 1 << bits)
            return (values.astype(np.uint16) >> (bits - 8)).astype(np.uint8)
        return _stretch(values, low, high)
    return color_to_bytes(values)


def color_to_bytes(values: Samples, bits: int | None = None) -> Bytes:
    """Scale all samples of a color image alike to uint8.

    Unsigned integers have the range of their `bits` (default: their type), of 32 and more the range
    that they need of 8, 16, 32 and 64. Signed integers are stretched from their lowest to their
    highest value, floats from 0 to 1, or to 255 if they need that, else as integers are.
    """
    if values.dtype.kind in "biu" and values.dtype.kind != "i":
        bits = bits or 8 * values.itemsize
        if bits == 8:
            return values.astype(np.uint8)
        high = int(values.max()) if values.size else 0
        if bits >= 32:
            bits = next(size for size in (8, 16, 32, 64) if high < 1 << size)
        return _stretch(values, 0, (1 << bits) - 1)
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if values.dtype.kind == "f" and least >= 0 and most <= 255:
        least, most = 0.0, 1.0 if most <= 1 else 255.0
    return _stretch(values, least, most)


def _stretch(values: Samples, low: float, high: float) -> Bytes:
    """Map `low` to 0 and `high` to 255, a part at a time: this needs eight bytes a sample."""
    out = np.empty(values.shape, np.uint8)
    rows = max(1, (1 << 19) // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        part = values[start : start + rows].astype(np.float64)
        with np.errstate(all="ignore"):
            scaled = (part - low) * (255 / ((high - low) or 1))
        scaled = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0)
        out[start : start + rows] = np.clip(scaled, 0, 255) + 0.5
    return out
