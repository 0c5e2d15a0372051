"""The lines of a text as one compressed string, which a field of Milvus can hold."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import cast

from clipsearch.ocr.image_text import Box, TextLine

STEPS = 100_000
"""Parts of a width or height to which corners are rounded: less than a pixel of a tall scan."""

CONFIDENCE_STEPS = 1_000


def encode_lines(lines: Sequence[TextLine]) -> str:
    """Return lines as printable ASCII: a page of print takes a tenth of 64 KB."""
    values = [
        [
            line.text,
            round(line.confidence * CONFIDENCE_STEPS),
            *(round(edge * STEPS) for edge in line.box),
        ]
        for line in lines
    ]
    data = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64.b85encode(zlib.compress(data.encode(errors="replace"))).decode()


def decode_lines(encoded: str) -> tuple[TextLine, ...]:
    """Return the lines that were encoded; raise ValueError if that is damaged."""
    try:
        values = json.loads(zlib.decompress(base64.b85decode(encoded)))
        return tuple(
            TextLine(str(text), _box(edges), confidence / CONFIDENCE_STEPS)
            for text, confidence, *edges in values
        )
    except (zlib.error, TypeError) as error:
        raise ValueError(f"the lines of a text are damaged: {error}") from error


def _box(edges: Sequence[int]) -> Box:
    if len(edges) != 8:
        raise ValueError("a box of a text has not four corners")
    return cast("Box", tuple(edge / STEPS for edge in edges))
