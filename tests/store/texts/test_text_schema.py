"""Texts as entities of Milvus and back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.ocr.image_text import ImageText, TextLine
from clipsearch.store.names import check_name
from clipsearch.store.texts.lines import decode_lines, encode_lines
from clipsearch.store.texts.schema import (
    LINES,
    TEXT,
    TEXT_BYTES,
    WRITTEN_AT,
    cut,
    texts_name,
    to_entity,
    to_row,
)
from tests.helpers.texts import BOX, text_row

fractions = st.floats(0, 1)
boxes = st.tuples(*[fractions] * 8)
lines = st.lists(st.builds(TextLine, st.text(), boxes, fractions)).map(tuple)


@given(lines)
def test_lines_come_back(given: tuple[TextLine, ...]) -> None:
    encoded = encode_lines(given)
    assert encoded.isascii()
    assert encoded.isprintable()
    found = decode_lines(encoded)
    assert [line.text for line in found] == [line.text for line in given]
    for line, original in zip(found, given, strict=True):
        assert line.box == pytest.approx(original.box, abs=1e-5)
        assert line.confidence == pytest.approx(original.confidence, abs=1e-3)


@pytest.mark.parametrize("damaged", ["", "no", "c-jFgG%$LI", encode_lines([])[:-3]])
def test_damaged_lines_are_refused(damaged: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_lines(damaged)


def test_the_text_for_searching_has_no_case_and_line_breaks() -> None:
    entity = to_entity(text_row("/a.png", ["Café\x00 Ｎº", "STRASSE"]))
    assert entity[TEXT] == "café no strasse"
    assert entity[WRITTEN_AT] <= to_entity(text_row("/a.png"))[WRITTEN_AT]
    assert [line.text for line in to_row(entity).text.lines] == ["Café\x00 Ｎº", "STRASSE"]


@settings(max_examples=20)
@given(st.integers(1, 3_000), st.text(min_size=1, max_size=80))
def test_the_last_lines_of_a_long_text_are_cut(number: int, words: str) -> None:
    text = ImageText(tuple(TextLine(f"{n} {words}", BOX, 1) for n in range(number)), "reader")
    kept = cut(text)
    assert kept.lines == text.lines[: len(kept.lines)]
    assert (len(kept.lines) == number) or len(kept.lines) > 100
    entity = to_entity(replace(text_row("/a.png"), text=text))
    assert all(len(entity[name].encode()) <= TEXT_BYTES for name in (TEXT, LINES))
    assert len(to_row(entity).text.lines) == len(kept.lines)


def test_a_line_that_is_too_long_is_left_out() -> None:
    text = ImageText((TextLine("漢" * 30_000, BOX, 1),), "reader")
    assert cut(text).lines == ()


@pytest.mark.parametrize("name", ["images", "Images", "i" * 255])
def test_the_name_is_one_that_milvus_accepts(name: str) -> None:
    check_name(texts_name(name))
    assert texts_name(name) != texts_name(name[:-1])
