"""Display width and shortening of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.escape import escape_control
from clipsearch.render.display_text import display_width, shorten

ANY = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("写真", 4), ("cafe\u0301", 4), ("ｱ", 1), ("\uff21", 2), ("", 0), ("👩‍👧", 2)],
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert display_width(text) == columns


@given(ANY.map(escape_control), st.integers(1, 30))
def test_shortened_text_fits(text: str, columns: int) -> None:
    short = shorten(text, lambda part: display_width(part) <= columns)
    assert 0 <= display_width(short) <= columns
    if display_width(text) <= columns:
        assert short == text


def test_shortening_keeps_both_ends() -> None:
    assert shorten("a_long_name_here.jpg", lambda part: len(part) <= 11) == "a_lon…e.jpg"
