"""Messages, bytes and images between the process of a decoder and the one that uses it."""

import json
import struct
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from PIL import Image

from clipsearch.images.decoded_image import DecodedImage
from clipsearch.images.metadata import Metadata

_LENGTH = struct.Struct("<I")

_STRIP = 1 << 18
"""Pixels that are sent at a time, so that neither side needs a second copy of the image."""


class Channel:
    """One end of a connection; raises EOFError or OSError if the other process has ended."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        """Use two binary streams."""
        self._reader, self._writer = reader, writer

    def send(self, data: bytes | memoryview = b"", /, **message: Any) -> None:
        """Send a message, and bytes that follow it; the receiver must know how many."""
        text = json.dumps(message).encode()
        self._writer.write(_LENGTH.pack(len(text)) + text)
        self._writer.write(data)
        self._writer.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for a message."""
        (length,) = _LENGTH.unpack(self.receive_bytes(_LENGTH.size))
        message: dict[str, Any] = json.loads(self.receive_bytes(length))
        return message

    def receive_bytes(self, size: int) -> bytearray:
        """Wait for so many bytes."""
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            count = self._reader.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            done += count
        return data

    def send_image(self, decoded: DecodedImage) -> None:
        """Send an image and what its file says."""
        taken_at = decoded.metadata.taken_at
        self.send(
            kind="image",
            size=decoded.image.size,
            width=decoded.width,
            height=decoded.height,
            format=decoded.format,
            truncated=decoded.truncated,
            metadata=asdict(decoded.metadata) | {"taken_at": taken_at and taken_at.isoformat()},
        )
        for box in _strips(*decoded.image.size):
            self._writer.write(decoded.image.crop(box).tobytes())
        self._writer.flush()

    def receive_image(self, message: dict[str, Any]) -> DecodedImage:
        """Read the pixels that follow a message of the kind "image"."""
        image = Image.new("RGB", message["size"])
        for box in _strips(*image.size):
            size = box[2], box[3] - box[1]
            data = self.receive_bytes(3 * size[0] * size[1])
            image.paste(Image.frombuffer("RGB", size, data, "raw", "RGB", 0, 1), box)
        taken_at = message["metadata"]["taken_at"]
        metadata = message["metadata"] | {"taken_at": taken_at and datetime.fromisoformat(taken_at)}
        return DecodedImage(
            image,
            message["width"],
            message["height"],
            message["format"],
            Metadata(**metadata),
            message["truncated"],
        )


def _strips(width: int, height: int) -> list[tuple[int, int, int, int]]:
    rows = max(1, _STRIP // width)
    return [(0, top, width, min(height, top + rows)) for top in range(0, height, rows)]
