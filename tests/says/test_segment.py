"""The index in memory finds what the matcher finds in each text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.ocr.search_form import search_form
from clipsearch.says.matcher import quality
from clipsearch.says.parser import parse_says
from clipsearch.says.segment import Segment
from clipsearch.says.tokens import to_tokens

# Few letters and words, so that they occur, also within each other.
KNOWN = [
    *("ikea", "ikeas", "likea", "ike", "kea", "cafe", "café", "cafés", "receipt", "rece1pt"),
    *("receipts", "corner", "comer", "12", "50", "12.50", "1250", "12,5", "re16", "tgk", "re16tgk"),
    *("re16-tgk", "wi-fi", "wifi", "new", "york", "yorker", "東京", "東京都", "京", "都", "がか"),
    *("か", "€", "€5", "x", "y"),
]
WORDS = st.sampled_from(KNOWN)
FREE = st.text("abàâæxX1l0o -.,\"'東京", max_size=8)
TEXTS = st.lists(st.one_of(WORDS, FREE), max_size=8).map(" ".join)
PHRASES = st.tuples(WORDS, WORDS).map('"{0[0]} {0[1]}"'.format)
FEW_WORDS = st.lists(st.one_of(WORDS, PHRASES), min_size=1, max_size=3).map(" ".join)
SAYS = st.one_of(TEXTS, FEW_WORDS)


@settings(max_examples=400)
@given(st.lists(TEXTS, min_size=1, max_size=8), SAYS)
def test_the_index_finds_what_the_matcher_finds(texts: list[str], says: str) -> None:
    try:
        parts = parse_says(says)
    except UsageError:
        return
    segment = Segment([search_form(text) for text in texts])
    found = dict(zip(*(array.tolist() for array in segment.search(parts)), strict=True))
    expected = {n: quality(parts, to_tokens(text)) for n, text in enumerate(texts)}
    assert found == pytest.approx({n: value for n, value in expected.items() if value is not None})
    assert segment.lengths.tolist() == [len(to_tokens(text)) for text in texts]


def test_the_number_of_texts_with_a_phrase() -> None:
    segment = Segment(["new york", "york new", "in new york new york", "new yorker"])
    tokens = to_tokens("New York")
    assert segment.count(tokens, np.ones(4, dtype=bool)) == 2
    assert segment.count(tokens, np.array([True, True, False, True])) == 1


def test_no_texts_and_no_tokens_are_found_in_nothing() -> None:
    [part] = parse_says("a")
    for texts in ([], ["", ""]):
        numbers, qualities = Segment(texts).search([part])
        assert numbers.size == qualities.size == 0
