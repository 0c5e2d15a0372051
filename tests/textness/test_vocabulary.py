"""The vocabulary of synthetic text."""

import numpy as np

from clipsearch.textness.vocabulary import ENGLISH, OTHER_SCRIPTS, random_text


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_texts_vary() -> None:
    generator = rng(0)
    texts = {" ".join(random_text(generator, ENGLISH, 2)) for _ in range(500)}
    assert len(texts) > 490
    assert any(any(letter.isdigit() for letter in text) for text in texts)
    assert any(text.isupper() for text in texts)
    assert all(len(words) >= 8 for words in OTHER_SCRIPTS)
