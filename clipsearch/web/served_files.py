"""The file of a stored image as a response: whole or a range, inline only if that is safe."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response

from clipsearch.images.formats import HEADER_SIZE, sniff
from clipsearch.web.problems import Problem
from clipsearch.web.streams import ClosingStream

CHUNK = 256 << 10

INLINE_TYPES = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}
"""Types by content that browsers show; all others are downloads, SVG because it runs scripts."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def file_response(file: BinaryIO, name: str, headers: Headers, *, download: bool) -> Response:
    """Return the response of an open file, which it closes; reads its first bytes.

    `headers` are the request's. Raises Problem 416 if a requested range lies behind the end.
    """
    try:
        status = os.fstat(file.fileno())
        kind = sniff(file.read(HEADER_SIZE))
        etag = f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
        media_type = INLINE_TYPES.get(kind or "", "application/octet-stream")
        is_inline = kind in INLINE_TYPES and not download
        response_headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-cache",
            "Content-Disposition": _disposition(name, inline=is_inline),
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "ETag": etag,
        }
        if matches_etag(headers.get("if-none-match"), etag):
            file.close()
            return Response(status_code=304, headers=response_headers)
        part = None
        if headers.get("if-range", etag) == etag:
            part = _parse_range(headers.get("range", ""), status.st_size)
    except BaseException:
        file.close()
        raise
    first, end = part or (0, status.st_size)
    response_headers["Content-Length"] = str(end - first)
    if part:
        response_headers["Content-Range"] = f"bytes {first}-{end - 1}/{status.st_size}"
    return ClosingStream(
        _chunks(file, first, end), 206 if part else 200, response_headers, media_type
    )


def matches_etag(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names an ETag, or any (RFC 9110, section 13.1.2)."""
    if header is None:
        return False
    names = [part.strip().removeprefix("W/") for part in header.split(",")]
    return etag in names or names == ["*"]


def _parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return start and end of a single range; None for the whole file.

    Malformed and multiple ranges are ignored, as RFC 9110, section 14.2 allows.
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    if match[1] == "":
        first, end = max(0, size - int(match[2])), size
    else:
        first = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise Problem(
            416, f"the file has {size:,} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return first, end


def _disposition(name: str, *, inline: bool) -> str:
    """Return the header for any name, which may hold bytes that are not Unicode (RFC 6266)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    encoded = quote(os.fsencode(name), safe="")
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


async def _chunks(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        await asyncio.to_thread(file.seek, start)
        while start < end:
            chunk = await asyncio.to_thread(file.read, min(CHUNK, end - start))
            if not chunk:  # cut meanwhile; the client notices by the length
                return
            start += len(chunk)
            yield chunk
    finally:
        file.close()
