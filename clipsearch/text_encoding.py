"""The encoding of text files: UTF-8, or what Windows writes, with a byte order mark or without."""

import codecs

_MARKS = (  # that of UTF-32 starts with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MARK = "\ufeff"


def detect_encoding(data: bytes) -> str:
    """Return the encoding of the byte order mark; without one UTF-16 if it looks so, else UTF-8.

    "utf-8" is a guess: the data may be in another encoding without NUL bytes.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    return _utf16_order(data) if _is_utf16(data) else "utf-8"


def decode_text(data: bytes) -> str:
    """Decode a text file; raise UnicodeDecodeError if it is neither UTF-8 nor UTF-16 or UTF-32.

    Byte order marks are removed, also those of files that were joined into this one.
    """
    text = data.decode(detect_encoding(data))
    return "\n".join(line.removeprefix(MARK) for line in text.split("\n")) if MARK in text else text


def _is_utf16(data: bytes) -> bool:
    """Whether NUL bytes are halves of characters, and not the ends of names.

    In UTF-16 they stand beside each ASCII letter and line break, so most pieces between them are
    single bytes, or end or begin at a line break.
    """
    if b"\0" not in data:
        return False
    pieces = data.split(b"\0")
    halves = sum(
        len(piece) < 2 or piece.startswith(b"\n") or piece.endswith(b"\n") for piece in pieces
    )
    return 2 * halves > len(pieces) > 2


def _utf16_order(data: bytes) -> str:
    """The byte order that gives more ASCII characters."""
    return "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be"
