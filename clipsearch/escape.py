"""Make untrusted text safe to print on a terminal."""

import unicodedata

_JOINERS = "\u200c\u200d"  # invisible, but part of the spelling of Persian, Hindi and emoji


def escape_control(text: str) -> str:
    r"""Replace every character that could control a terminal or be invisible by an escape.

    Control characters, line breaks, bidi controls, unassigned and private characters become
    `\x1b` or `\u202e`; a byte of a file name that is not UTF-8 becomes `\xff`. All other text,
    including spaces and joiners, stays unchanged.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if character.isprintable() or unicodedata.category(character) == "Zs" or character in _JOINERS:
        return character
    if 0xDC80 <= code <= 0xDCFF:  # how Python represents an undecodable byte (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
