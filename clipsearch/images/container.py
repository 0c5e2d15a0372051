"""The date in the container of HEIC and AVIF files, which are ISO base media files."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO

from clipsearch.images.timestamps import moment

_EPOCH = datetime(1904, 1, 1)
_EARLIEST = datetime(2000, 1, 1)
"""The containers are younger. A clock that starts in 1970 instead of 1904 gives an older date."""

_MAX_BOXES = 1000  # of one level: a damaged file may have millions of empty ones
_FULL_BOXES = {b"meta"}  # with a version and flags before their content

_CREATION_TIME = (b"meta", b"iprp", b"ipco", b"crtt")  # of an image, ISO 23008-12
_MOVIE_HEADER = (b"moov", b"mvhd")  # of a sequence, ISO 14496-12


def container_time(stream: BinaryIO) -> datetime | None:
    """Return when the images of an open HEIC or AVIF file were created, in UTC, or None."""
    end = stream.seek(0, 2)
    for content in _find(stream, 0, end, _CREATION_TIME):
        if time := _since_epoch(int.from_bytes(content[4:12]) // 1_000_000):
            return time
    for content in _find(stream, 0, end, _MOVIE_HEADER):
        if time := _since_epoch(int.from_bytes(content[4 : 12 if content[:1] == b"\1" else 8])):
            return time
    return None


def _find(stream: BinaryIO, at: int, end: int, path: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield the first 12 bytes of each box with these names, from the outermost to its own."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        stream.seek(at)
        header = stream.read(16)
        length, content = int.from_bytes(header[:4]), at + 8
        if length == 1:
            length, content = int.from_bytes(header[8:]), at + 16
        next_box = at + length if length else end
        if next_box < content or next_box > end:
            return
        if header[4:8] == path[0]:
            if len(path) == 1:
                stream.seek(content)
                yield stream.read(min(12, next_box - content))
            else:
                content += 4 if path[0] in _FULL_BOXES else 0
                yield from _find(stream, content, next_box, path[1:])
        at = next_box


def _since_epoch(seconds: int) -> datetime | None:
    try:
        time = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return moment(*time.timetuple()[:6]) if time >= _EARLIEST else None
