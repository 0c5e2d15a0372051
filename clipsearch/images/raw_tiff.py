"""Tell the files of cameras that are TIFF inside from ordinary TIFF files.

The first page of such a file is a thumbnail, which a TIFF decoder would take for the image.
"""

import io
import struct
from typing import BinaryIO

_COMPRESSION, _INTERPRETATION, _SUB_IFDS = 259, 262, 330
_RAW_TAGS = {
    33421,  # CFARepeatPatternDim (TIFF/EP)
    33422,  # CFAPattern
    34310,  # Leaf
    50706,  # DNGVersion
    50740,  # DNGPrivateData, which Sony's SR2 has as well
}
_RAW_VALUES = {
    (_INTERPRETATION, 32803),  # color filter array
    (_INTERPRETATION, 34892),  # LinearRaw (DNG)
    (_COMPRESSION, 32767),  # Sony ARW
    (_COMPRESSION, 32770),  # Samsung SRW
    (_COMPRESSION, 34713),  # Nikon NEF
    (_COMPRESSION, 65000),  # Kodak
    (_COMPRESSION, 65535),  # Pentax PEF
}
_MAKERS = {b"CR", b"II", b"MM"}  # Canon and Phase One mark the eight bytes after the header
_MOST_DIRECTORIES = 40


def is_camera_raw(stream: BinaryIO) -> bool:
    """Whether a TIFF file is a camera's raw file; reads its directories and rewinds the stream."""
    try:
        return _has_raw_directory(stream)
    except (struct.error, OSError, OverflowError):  # the TIFF decoder says what is wrong
        return False
    finally:
        stream.seek(0)


def _has_raw_directory(stream: BinaryIO) -> bool:
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4].strip(b"\0") == b"\x2b"
    (first,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", head, 8 if big else 4)
    if not big and first > 8 and head[8:10] in _MAKERS:
        return True
    pending = [first]
    seen: set[int] = set()
    while pending and len(seen) < _MOST_DIRECTORIES:
        offset = pending.pop(0)
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        entries, following = _read_directory(stream, offset, order, big=big)
        for tag, values in entries.items():
            if tag in _RAW_TAGS or any((tag, value) in _RAW_VALUES for value in values):
                return True
        pending += [*entries.get(_SUB_IFDS, ()), following]
    return False


def _read_directory(
    stream: BinaryIO, offset: int, order: str, *, big: bool
) -> tuple[dict[int, tuple[int, ...]], int]:
    """The tags of a directory with the integers of those that matter, and the next one's offset."""
    count_code, entry_size, offset_code = ("Q", 20, "Q") if big else ("H", 12, "I")
    stream.seek(offset)
    (count,) = _read(stream, order + count_code)
    data = io.BytesIO(stream.read(min(count, 4096) * entry_size))
    (following,) = _read(stream, order + offset_code)
    entries: dict[int, tuple[int, ...]] = {}
    for _ in range(min(count, 4096)):
        tag, kind, length = _read(data, f"{order}HH{offset_code}")
        value = data.read(8 if big else 4)
        code = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
        if code is None or tag not in (_COMPRESSION, _INTERPRETATION, _SUB_IFDS):
            entries[tag] = ()
            continue
        length = min(length, _MOST_DIRECTORIES)
        layout = f"{order}{length}{code}"
        if struct.calcsize(layout) > len(value):
            stream.seek(struct.unpack(order + offset_code, value)[0])
            value = stream.read(struct.calcsize(layout))
        entries[tag] = struct.unpack_from(layout, value)
    return entries, following


def _read(stream: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))
