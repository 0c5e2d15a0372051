"""Which queries want something read, and what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.models.pocket.query import LONGEST, MOST, ask, asked, plain, spell


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
def test_words_that_are_asked_for_are_all_that_counts(query: str, words: list[str]) -> None:
    wish = asked(query)
    assert list(wish.words) == words
    assert wish.share == wish.writing == 1


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
def test_a_sentence_asks_for_nothing_to_be_read(query: str) -> None:
    assert asked(query).words == ()
    assert asked(query).writing == 0


def test_a_plain_noun_may_be_a_sign_a_little() -> None:
    assert asked("coffee").words == ("coffee",)
    assert 0 < asked("coffee").share < asked("the word coffee").share


def test_any_writing_can_be_wanted_without_words() -> None:
    assert asked("a sign in a street") == asked("some text")
    assert asked("some text").writing == 1


def test_letters_are_numbered_without_case_and_accents() -> None:
    assert (spell(["Ünïcode"]) == spell(["unicode"])).all()
    assert spell(["ab9"])[0, :4].tolist() == [1, 2, 36, 0]


def test_words_of_one_query_share_its_length() -> None:
    letters, shares = ask(["the word love", "'happy birthday'", "a dog on the beach"])
    assert letters.shape == (3, MOST, LONGEST)
    assert shares[0].tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert np.allclose((shares[:, :MOST] ** 2).sum(1), [1, 1, 0])
    assert not letters[2].any()


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_text_gives_rows_of_the_same_shape(queries: list[str]) -> None:
    letters, shares = ask(queries)
    assert letters.shape == (len(queries), MOST, LONGEST)
    assert shares.shape == (len(queries), MOST + 1)
    assert ((letters >= 0) & (letters <= 36)).all()
    assert (shares[:, :MOST] > 0).sum(1).tolist() == [
        len([word for word in asked(query).words if plain(word)]) for query in queries
    ]
