"""Queries from captions: words and phrases, their images, and how many are not mentioned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.calibration.caption_queries import caption_queries


def texts(captions: list[list[str]]) -> dict[str, tuple[int, ...]]:
    return {query.text: query.rows for query in caption_queries(captions)}


def test_words_and_phrases_of_several_captions_become_queries() -> None:
    captions = [["Two dogs in the snow."], ["A dog, in snow"], ["a red bus"], ["the dog's ball"]]
    captions += [["A black dog in snow"], ["dogs in snow"], ["dog in snow"], ["dogs in snow"]]
    captions += [["nothing else"]] * 20
    found = texts(captions)
    assert found["dog"] == (0, 1, 3, 4, 5, 6, 7)
    assert found["snow"] == (0, 1, 4, 5, 6, 7)
    assert "dog in snow" not in found  # four images
    assert "bus" not in found  # one image
    assert "the" not in found


def test_common_words_are_no_queries() -> None:
    assert "photo" not in texts([["a photo"]] * 100)


def test_a_word_that_every_second_caption_of_an_image_has_is_nearly_complete() -> None:
    often = [["horse here", "horse there", "a horse", "horse"]] * 40
    once = [["a lamp", "quiet room", "interior", "evening"]] * 40
    rest = [["sea", "wave", "surf", "water"]] * 200
    found = {query.text: query.completeness for query in caption_queries(often + once + rest)}
    assert found["horse"] > 0.9
    assert found["lamp"] < 0.8


def test_a_repeated_caption_is_one() -> None:
    captions = [["A horse", "a  horse"]] * 10 + [["sea", "Sea"]] * 30
    found = {query.text: query.completeness for query in caption_queries(captions)}
    assert found["horse"] == pytest.approx(0.6)


def test_images_with_one_caption_say_nothing_about_completeness() -> None:
    captions = [["a horse"]] * 10 + [["sea"]] * 30
    found = {query.text: query.completeness for query in caption_queries(captions)}
    assert found["horse"] == pytest.approx(0.6)


@given(st.lists(st.lists(st.text(), max_size=3), max_size=30))
def test_any_captions_give_queries_with_valid_rows(captions: list[list[str]]) -> None:
    for query in caption_queries(captions):
        assert query.rows == tuple(sorted(set(query.rows)))
        assert set(query.rows) <= set(range(len(captions)))
        assert 0 < query.completeness <= 1
