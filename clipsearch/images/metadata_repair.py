"""Rewrite image files whose metadata keeps a strict decoder from their pixels.

Each repair takes a whole file, and returns it with less metadata and the same pixels. Repairs run
only for files that Pillow refuses.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

_METADATA_LIMIT = 1_000_000
"""Bytes of a decompressed PNG text or profile that Pillow accepts (`MAX_TEXT_CHUNK` is 1 MiB)."""

_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_ANIMATION = {b"acTL": 8, b"fcTL": 26, b"fdAT": 5}  # with the least length of their data

_PNG_TRANSPARENCY = {0: 2, 2: 6, 3: 1}  # least length of tRNS by the color type in the header

_JPEG_ADOBE, _JPEG_ADOBE_LENGTH = 0xEE, 12  # says how the colors are encoded
_JPEG_SCAN, _JPEG_COMMENT = 0xDA, 0xFE
# A table of 8 or 16 bits, an inner image (a thumbnail), a frame, or further metadata.
_JPEG_NEXT = re.compile(rb"\xff(\xdb\0[\x43\x83\x84\xc4\xc5]|\xd8\xff|[\xc0-\xc2]\0[\x0b\x11\x14])")

_WEBP_PIXELS = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}


def without_metadata(data: bytes, format_name: str) -> Iterator[bytes]:
    """Yield a file without the metadata that looks damaged, then without any metadata.

    Metadata that decides about pixels remains: transparency, and how colors are encoded.
    """
    for repair in _REPAIRS.get(format_name, ()):
        yield repair(data)


def _repair_png(data: bytes, *, bare: bool = False) -> bytes:
    """Drop ancillary chunks that are damaged or too large, and correct the other checksums."""
    out = [data[:8]]
    for kind, content, intact in _png_chunks(data):
        if kind in (b"IHDR", b"PLTE") and not intact:
            return data  # a damaged size or palette would give wrong pixels
        if kind in _PNG_ANIMATION:
            keep = len(content) >= _PNG_ANIMATION[kind]
        elif kind == b"tRNS":
            keep = len(content) >= _PNG_TRANSPARENCY.get(data[25], 0)
        elif kind in _PNG_PIXELS:
            keep = True
        else:
            keep = intact and not bare and _is_readable_chunk(kind, content)
        if keep:
            out.append(struct.pack(">I", len(content)) + kind + content)
            out.append(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))
    return b"".join(out)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind, content and whether the checksum is right; the last chunk may be cut."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        content = data[at + 8 : end]
        intact = data[end : end + 4] == struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
        if not kind.isalpha():  # the length before was wrong
            return
        yield kind, content, intact
        at = end + 4


def _is_readable_chunk(kind: bytes, content: bytes) -> bool:
    """Whether Pillow reads an ancillary chunk, as far as its compressed size decides."""
    name, _, rest = content.partition(b"\0")
    if kind in (b"zTXt", b"iCCP"):
        compressed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        compressed = b"\0".join(rest[2:].split(b"\0")[2:])
    else:
        return len(content) <= _METADATA_LIMIT
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(compressed, _METADATA_LIMIT)
    except zlib.error:
        return False
    return bool(name) and not inflate.unconsumed_tail


def large_icc_profile(data: bytes, limit: int = 32_000_000) -> bytes | None:
    """Return the profile of a PNG file if it is too large for Pillow, and at most `limit` bytes."""
    for kind, content, intact in _png_chunks(data):
        if kind == b"IDAT":
            break
        if kind == b"iCCP" and intact and not _is_readable_chunk(kind, content):
            try:
                inflate = zlib.decompressobj()
                profile = inflate.decompress(content.partition(b"\0")[2][1:], limit)
            except zlib.error:
                return None
            return None if inflate.unconsumed_tail else profile
    return None


def _repair_jpeg(data: bytes, *, bare: bool = False) -> bytes:
    """Drop application segments and comments, but Adobe's and those that are well formed Exif."""
    out, at = [data[:2]], 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == _JPEG_SCAN:
            return b"".join([*out, data[at:]])
        elif not (0xE0 <= marker <= 0xEF or marker == _JPEG_COMMENT):
            out.append(data[at:end])
            at = max(end, at + 2)
        elif length < 2 or data[end : end + 1] != b"\xff":
            at = _next_jpeg_segment(data, at + 4)
        else:
            content = data[at + 4 : end]
            is_adobe = marker == _JPEG_ADOBE and len(content) >= _JPEG_ADOBE_LENGTH
            if is_adobe or (content.startswith(b"Exif\0\0") and not bare):
                out.append(data[at:end])
            at = end
    return data


def _next_jpeg_segment(data: bytes, at: int) -> int:
    """The position of the image's first table or frame, beyond thumbnails within metadata."""
    while found := _JPEG_NEXT.search(data, at):
        if not found[1].startswith(b"\xd8"):
            return found.start()
        end = data.find(b"\xff\xd9", found.end())
        at = end + 2 if end >= 0 else found.end()
    return len(data)


def _repair_webp(data: bytes) -> bytes:
    """Drop metadata chunks, and correct the size of what is left."""
    out, at, size = [], 12, 4
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        padded = length + (length & 1)
        content = data[at + 8 : at + 8 + padded]
        if kind == b"VP8X" and length == 10:
            content = bytes([content[0] & ~0b101100]) + content[1:]  # no ICC, EXIF, XMP
        if kind in _WEBP_PIXELS:
            out.append(struct.pack("<4sI", kind, length) + content)
            size += 8 + padded
        at += 8 + padded
    return struct.pack("<4sI4s", b"RIFF", min(size, 2**32 - 10), b"WEBP") + b"".join(out)


def _repair_heif(data: bytes) -> bytes:
    """Rename Exif items in the list of items (ISO 14496-12, box `infe`), so that none is read."""
    return re.sub(rb"(infe\x02.{3}.{4})Exif|(infe\x03.{3}.{6})Exif", rb"\1\2skip", data, flags=re.S)


_REPAIRS: Mapping[str, Sequence[Callable[[bytes], bytes]]] = {
    "png": (_repair_png, partial(_repair_png, bare=True)),
    "jpeg": (_repair_jpeg, partial(_repair_jpeg, bare=True)),
    "webp": (_repair_webp,),
    "avif": (_repair_heif,),
    "heif": (_repair_heif,),
}
