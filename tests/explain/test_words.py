"""Words of any script, and their contributions to a score."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.explain.words import word_contributions, word_spans
from clipsearch.images.decode import decode
from clipsearch.models.embedding import embed_images
from clipsearch.models.pocket.encoder import PocketEncoder
from tests.helpers.fakes import ColorEncoder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("red umbrella", ["red", "umbrella"]),
        ("  a dog,  running! ", ["a", "dog,", "running!"]),
        ("赤い傘", ["赤", "い", "傘"]),
        ("夜の東京タワー", ["夜", "の", "東京", "タワー"]),
        ("ein großer Hund", ["ein", "großer", "Hund"]),
        ("한국어 단어", ["한국어", "단어"]),
    ],
)
def test_words_of_any_script(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words


@given(st.text(max_size=30))
def test_every_letter_is_in_exactly_one_word(text: str) -> None:
    joined = "".join(text[start:end] for start, end in word_spans(text))
    assert joined == "".join(text.split())


def test_the_word_dog_contributes_most_to_a_dog(shared_data: Path) -> None:
    path = shared_data / "flickr8k" / "images" / "269630255_c3ec75c792.jpg"
    encoder = PocketEncoder()
    [vector] = embed_images(encoder, [decode(path).image])
    by_word = {one.word: one.value for one in word_contributions("the dog in it", vector, encoder)}
    assert max(by_word, key=lambda word: by_word[word]) == "dog"


def test_contributions_need_two_words(encoder: ColorEncoder) -> None:
    [vector] = embed_images(encoder, [Image.new("RGB", (8, 8), "red")])
    assert word_contributions("red", vector, encoder) == ()
