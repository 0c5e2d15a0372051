"""The order of parts that run from right to left, against the Unicode algorithm worked by hand."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.render.text_direction import levels, visual_order

HEBREW = str.maketrans("ABCDEFG", "אבגדהוז")  # capital letters stand for Hebrew, as in UAX #9


def displayed(text: str) -> str:
    """The characters from left to right; brackets are not mirrored."""
    line = text.translate(HEBREW)
    parts = [
        (level, "".join(character for _, character in group))
        for level, group in groupby(zip(levels(line), line, strict=True), key=lambda pair: pair[0])
    ]
    reversed_parts = [(level, part[::-1] if level % 2 else part) for level, part in parts]
    shown = "".join(visual_order(reversed_parts))
    return shown.translate({hebrew: latin for latin, hebrew in HEBREW.items()})


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("", ""),
        ("abc 12.jpg", "abc 12.jpg"),
        ("ABC", "CBA"),
        ("img ABC DEF.jpg", "img FED CBA.jpg"),
        ("ABC 12", "12 CBA"),
        ("img ABC 12.jpg", "img 12 CBA.jpg"),
        ("ABC def", "def CBA"),
        ("ABC (1) def", "def )1( CBA"),
        ("ABC def ghi EFG", "GFE def ghi CBA"),
        ("12 ABC", "CBA 12"),
        ("a (AB) c", "a (BA) c"),
    ],
)
def test_lines_are_shown_as_unicode_orders_them(logical: str, visual: str) -> None:
    assert displayed(logical) == visual


@given(st.text())
def test_every_character_has_a_level_and_none_is_lost(text: str) -> None:
    found = levels(text)
    assert len(found) == len(text)
    assert sorted(visual_order(list(zip(found, text, strict=True)))) == sorted(text)


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=0x24F)))
def test_latin_text_runs_from_left_to_right(text: str) -> None:
    assert set(levels(text)) <= {0}
