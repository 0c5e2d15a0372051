"""Write Photoshop files that consist of a merged image."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def psd(
    planes: Sequence[NDArray[np.generic]],
    mode: int,
    *,
    depth: int = 8,
    packed: bool = False,
    large: bool = False,
    palette: bytes = b"",
    resources: Mapping[int, bytes] | None = None,
    layers: bytes = b"",
) -> bytes:
    """A file of channels of shape (height, width), big-endian; a bitmap has packed bits."""
    height, width = planes[0].shape
    if depth == 1:
        width *= 8
    head = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 2 if large else 1, len(planes), height, width, depth, mode
    )
    blocks = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(value)) + value + bytes(len(value) % 2)
        for number, value in (resources or {}).items()
    )
    wide = ">Q" if large else ">I"
    return (
        head
        + struct.pack(">I", len(palette))
        + palette
        + struct.pack(">I", len(blocks))
        + blocks
        + struct.pack(wide, len(layers))
        + layers
        + (_packed(planes, large=large) if packed else _plain(planes))
    )


def layer_list(count: int, *, large: bool = False) -> bytes:
    """A section that announces a number of layers, and describes none of them."""
    content = struct.pack(">h", count) + bytes(20)
    return struct.pack(">Q" if large else ">I", len(content)) + content


def _plain(planes: Sequence[NDArray[np.generic]]) -> bytes:
    return b"\0\0" + b"".join(plane.tobytes() for plane in planes)


def _packed(planes: Sequence[NDArray[np.generic]], *, large: bool) -> bytes:
    rows = [_pack_bits(row.tobytes()) for plane in planes for row in plane]
    code = "I" if large else "H"
    return b"\0\1" + struct.pack(f">{len(rows)}{code}", *map(len, rows)) + b"".join(rows)


def _pack_bits(row: bytes) -> bytes:
    """Repeat the first bytes as long as they are equal, and copy the others."""
    run = min(len(row) - len(row.lstrip(row[:1])), 128)
    out = bytes([257 - run]) + row[:1] if run > 1 else b""
    rest = row[run:] if run > 1 else row
    for start in range(0, len(rest), 128):
        part = rest[start : start + 128]
        out += bytes([len(part) - 1]) + part
    return out
