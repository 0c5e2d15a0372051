"""Text without terminal controls."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.escape import escape_control

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ANY = st.text(st.characters(exclude_categories=()), max_size=40)


@given(ANY)
def test_escaped_text_has_no_terminal_controls(text: str) -> None:
    shown = escape_control(text)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown
    )
    assert not set(shown) & set(BIDI)
    shown.encode("utf-8")


@given(ANY.filter(str.isprintable))
def test_printable_text_is_unchanged(text: str) -> None:
    assert escape_control(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("two\nlines\r", r"two\x0alines\x0d"),
        ("\x9b31m", r"\u009b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        (os.fsdecode(b"caf\xe9.jpg") if os.name != "nt" else "caf\udce9.jpg", r"caf\xe9.jpg"),
        ("\U000e0041", r"\U000e0041"),
        ("9.41\u202fAM 写真\u3000é", "9.41\u202fAM 写真\u3000é"),
    ],
)
def test_control_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert escape_control(text) == shown
