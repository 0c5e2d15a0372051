"""The fields of a collection of texts, and rows as entities of Milvus and back."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clipsearch.images.hashing import content_hash
from clipsearch.ocr.image_text import ImageText
from clipsearch.ocr.search_form import search_form
from clipsearch.store.schema import ID_LENGTH, CollectionSchema, Entity
from clipsearch.store.texts.lines import decode_lines, encode_lines

TEXT_BYTES = 65_535
"""The most that a VARCHAR of Milvus holds, encoded as UTF-8."""

READER_BYTES = 512

TEXT, LINES, READER = "text", "lines", "reader"
WRITTEN_AT = "written_at"
"""When the row was written, in ns, by which readers of all texts find the new ones."""

STATE_FIELDS = ("id", "content_hash", READER)
ROW_FIELDS = (*STATE_FIELDS, LINES)
"""The fields of a TextRow: the others are for searching."""

HAS_TEXT = f'{TEXT} != ""'
"""Matches images that show text."""

SCHEMA = CollectionSchema(
    strings={
        "id": ID_LENGTH,
        "content_hash": 128,
        READER: READER_BYTES,
        TEXT: TEXT_BYTES,
        LINES: TEXT_BYTES,
    },
    integers=(WRITTEN_AT,),
    vector="nothing",
    dim=2,
)
_PLACEHOLDER = np.array([1, 0], dtype=np.float32)  # Milvus requires a vector in every row
_UNSTORABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TextState:
    """What is known of a text without its words: whose it is, of which content, by which reader."""

    id: str
    content_hash: str
    reader: str


@dataclass(frozen=True, slots=True)
class TextRow:
    """The text of one image: its id and the hash of the content in which the text was read.

    The text is that of the image only while the image's row has the same content hash.
    """

    id: str
    content_hash: str
    text: ImageText


def texts_name(collection: str) -> str:
    """Return the name in Milvus of the texts of a collection, by the name that users know.

    All generations of a collection have the same images, and so share their texts. The hash keeps
    the name apart from those of collections that users name.
    """
    return f"{collection[:200]}_texts_{content_hash(collection.encode())[:8]}"


def cut(text: ImageText) -> ImageText:
    """Return a text without the last lines of those that a row cannot hold."""
    if _fits(text):
        return text
    low, high = 0, len(text.lines)  # the first `low` lines fit, `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(replace(text, lines=text.lines[:middle])):
            low = middle
        else:
            high = middle
    return replace(text, lines=text.lines[:low])


def to_entity(row: TextRow) -> Entity:
    """Return the entity of a text, with its last lines cut if it is too long."""
    text = cut(row.text)
    return {
        "id": row.id,
        "content_hash": row.content_hash,
        READER: text.reader,
        TEXT: _form(text),
        LINES: encode_lines(text.lines),
        WRITTEN_AT: time.time_ns(),
        SCHEMA.vector: _PLACEHOLDER,
    }


def to_row(entity: Mapping[str, Any]) -> TextRow:
    """Return the row of an entity with ROW_FIELDS; raise ValueError if its lines are damaged."""
    text = ImageText(decode_lines(entity[LINES]), str(entity[READER]))
    return TextRow(str(entity["id"]), str(entity["content_hash"]), text)


def to_state(entity: Mapping[str, Any]) -> TextState:
    """Return the state of an entity with STATE_FIELDS."""
    return TextState(*(str(entity[name]) for name in STATE_FIELDS))


def _form(text: ImageText) -> str:
    return search_form(_UNSTORABLE.sub(" ", text.text))


def _fits(text: ImageText) -> bool:
    longest = max(len(_form(text).encode()), len(encode_lines(text.lines)))
    return longest <= TEXT_BYTES
