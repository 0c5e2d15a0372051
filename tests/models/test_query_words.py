"""Which words a text query asks to read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.models.pocket.query_words import (
    MAX_LETTERS,
    MAX_WORDS,
    letter_ids,
    normalize_word,
    parse_query,
    query_arrays,
)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("the word love", ["love"]),
        ("the word “Café” on a wall", ["cafe"]),
        ("a sign that says no parking on a street", ["no", "parking"]),
        ("a poster saying Summer Sale!", ["summer", "sale"]),
        ("'STOP'", ["stop"]),
        ('a can with "Coca Cola" on it', ["coca", "cola"]),
        ("a shirt with the number 23", ["23"]),
    ],
)
def test_a_request_for_words_has_the_whole_weight(query: str, words: list[str]) -> None:
    request = parse_query(query)
    assert list(request.words) == words
    assert request.share == request.writing == 1


@pytest.mark.parametrize(
    "query",
    [
        "a dog running on the beach",
        "a man reading a book",
        "two women's hats and men's bags",
        "a large number of people",
        "",
        "日本",
    ],
)
def test_a_sentence_requests_no_reading(query: str) -> None:
    assert parse_query(query).words == ()
    assert parse_query(query).writing == 0


def test_a_bare_noun_requests_a_little_reading() -> None:
    assert parse_query("coffee").words == ("coffee",)
    assert 0 < parse_query("coffee").share < parse_query("the word coffee").share


def test_writing_of_any_kind_can_be_requested() -> None:
    assert parse_query("a sign in a street") == parse_query("some text")
    assert parse_query("some text").writing == 1


def test_letter_ids_ignore_case_and_accents() -> None:
    assert (letter_ids(["Ünïcode"]) == letter_ids(["unicode"])).all()
    assert letter_ids(["ab9"])[0, :4].tolist() == [1, 2, 36, 0]


def test_words_of_one_query_share_its_length() -> None:
    letters, shares = query_arrays(["the word love", "'happy birthday'", "a dog on the beach"])
    assert letters.shape == (3, MAX_WORDS, MAX_LETTERS)
    assert shares[0].tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert np.allclose((shares[:, :MAX_WORDS] ** 2).sum(1), [1, 1, 0])
    assert not letters[2].any()


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_text_gives_rows_of_the_same_shape(queries: list[str]) -> None:
    letters, shares = query_arrays(queries)
    assert letters.shape == (len(queries), MAX_WORDS, MAX_LETTERS)
    assert shares.shape == (len(queries), MAX_WORDS + 1)
    assert ((letters >= 0) & (letters <= 36)).all()
    assert (shares[:, :MAX_WORDS] > 0).sum(1).tolist() == [
        len([word for word in parse_query(query).words if normalize_word(word)])
        for query in queries
    ]
