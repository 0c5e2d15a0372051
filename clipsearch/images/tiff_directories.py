"""What the directories of a TIFF file say of its images: a camera's raw file, a thumbnail.

Raw files of most cameras are TIFF inside. Their first image is a thumbnail, which a TIFF decoder
would take for the image.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_KIND, _WIDTH, _HEIGHT, _COMPRESSION, _INTERPRETATION, _SUB_IFDS = 254, 256, 257, 259, 262, 330
_READ = {_KIND, _WIDTH, _HEIGHT, _COMPRESSION, _INTERPRETATION, _SUB_IFDS}
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
_PLAIN = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, CCITT, LZW, JPEG, Deflate and PackBits; the others need larger libraries."""
_MAKERS = {b"CR", b"II", b"MM"}  # Canon and Phase One mark the eight bytes after the header
_MOST_DIRECTORIES = 40


@dataclass(frozen=True, slots=True)
class TiffContent:
    """Whether a TIFF file is a camera's raw file, and where the directory of its image is.

    `image` is None if the image is the first one, as usual. `is_plain` tells whether all images
    have one of the simple compressions.
    """

    is_raw: bool
    image: int | None = None
    is_plain: bool = False


def inspect_tiff(stream: BinaryIO) -> TiffContent:
    """Read the directories of a TIFF file and rewind the stream; broken ones are passed over."""
    try:
        return _inspect(stream)
    except (struct.error, OSError, OverflowError):  # the TIFF decoder says what is wrong
        return TiffContent(is_raw=False)
    finally:
        stream.seek(0)


def begin_at(data: bytes, directory: int) -> bytes:
    """Return a TIFF file whose first directory is another one of its own."""
    order, big = _byte_order(data)
    changed = bytearray(data)
    struct.pack_into(f"{order}Q" if big else f"{order}I", changed, 8 if big else 4, directory)
    return bytes(changed)


def _byte_order(head: bytes) -> tuple[str, bool]:
    """The byte order for `struct`, and whether it is BigTIFF."""
    return "<" if head[:2] == b"II" else ">", head[2:4].strip(b"\0") == b"\x2b"


def _inspect(stream: BinaryIO) -> TiffContent:
    stream.seek(0)
    head = stream.read(16)
    order, big = _byte_order(head)
    (first,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", head, 8 if big else 4)
    if not big and first > 8 and head[8:10] in _MAKERS:
        return TiffContent(is_raw=True)
    pending, seen = [first], set[int]()
    sizes: dict[int, tuple[bool, int]] = {}  # whether an image is no reduced one, and its pixels
    refers_below, is_plain = False, True
    while pending and len(seen) < _MOST_DIRECTORIES:
        offset = pending.pop(0)
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        try:
            entries, following = _read_directory(stream, offset, order, big=big)
        except (struct.error, OSError, OverflowError):
            continue
        for tag, values in entries.items():
            if tag in _RAW_TAGS or any((tag, value) in _RAW_VALUES for value in values):
                return TiffContent(is_raw=True)
        is_plain &= _PLAIN.issuperset(entries.get(_COMPRESSION, ()))
        whole = not sum(entries.get(_KIND, ())) & 1
        pixels = sum(entries.get(_WIDTH, ())) * sum(entries.get(_HEIGHT, ()))
        sizes[offset] = whole, pixels
        below = entries.get(_SUB_IFDS, ())
        refers_below = refers_below or bool(below)
        pending += [*below, following]
    reduced = first in sizes and not sizes[first][0]
    largest = max(sizes, key=lambda offset: sizes[offset], default=first)
    if not reduced:
        return TiffContent(is_raw=False, is_plain=is_plain)
    if refers_below and not sizes[largest][0]:  # as a camera's file that was cut
        return TiffContent(is_raw=True)
    directory = None if largest == first else largest
    return TiffContent(is_raw=False, image=directory, is_plain=is_plain)


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
        if code is None or tag not in _READ:
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
