"""The dictionary: its file format, its words, and inflected forms."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import ModelError
from clipsearch.models.pocket.dictionary import FILE, Dictionary, Entry, pack

DICTIONARY = Dictionary()
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


@given(counts=st.dictionaries(WORDS, st.integers(0, 999), min_size=1, max_size=900), data=st.data())
def test_every_word_of_a_file_is_found_again(
    counts: dict[str, int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("dictionary") / "nouns.bin"
    glosses = [f"meaning {number}" for number in range(900)]
    numbers = {word: place % 900 for place, word in enumerate(counts)}
    entries = {word: Entry(count, (numbers[word],)) for word, count in counts.items()}
    file.write_bytes(pack(entries, glosses))
    dictionary = Dictionary(file)
    for word in data.draw(st.lists(st.sampled_from(sorted(counts)), max_size=20)):
        noun = dictionary.find_noun(word)
        assert noun is not None
        assert noun.meanings == (f"meaning {numbers[word]}",)
        assert noun.captions == counts[word]
    other = data.draw(WORDS)
    assert dictionary.knows(other) or other not in counts


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("okapi", "giraffe"),
        ("Sea Horse", "fish with horse-like heads"),
        ("seahorses", "fish with horse-like heads"),
        ("mice", "rodents"),
        ("women", "female"),
        ("inline skate", "rollers"),
        ("beaver", "rodent"),
        ("crane", "wading bird"),
        ("crane", "lifts"),
        ("leopards", "feline"),
    ],
)
def test_a_noun_has_meanings_that_an_image_can_show(name: str, part: str) -> None:
    noun = DICTIONARY.find_noun(name)
    assert noun is not None
    assert 1 <= len(noun.meanings) <= 2
    assert part in "; ".join(noun.meanings)


@pytest.mark.parametrize("name", ["happiness", "Paris", "red car", "", "犬", "qwxz", "the"])
def test_other_words_have_none(name: str) -> None:
    assert DICTIONARY.find_noun(name) is None


def test_the_rare_meaning_of_a_frequent_noun_is_left_out() -> None:
    noun = DICTIONARY.find_noun("dogs")
    assert noun is not None
    assert len(noun.meanings) == 1
    assert noun.captions == 999


@pytest.mark.parametrize(
    "word", ["the", "with", "running", "biggest", "snowy", "happily", "children", "naïve", "ran"]
)
def test_it_knows_english_words_of_all_kinds(word: str) -> None:
    assert DICTIONARY.knows(word)


@pytest.mark.parametrize("word", ["hund", "perro", "chien", "çiçek", "собака", "", "!"])
def test_it_does_not_know_other_words(word: str) -> None:
    assert not DICTIONARY.knows(word)


def test_the_file_is_small_and_has_its_license() -> None:
    assert FILE.stat().st_size < 4e6
    assert "Princeton University" in FILE.with_name("LICENSE").read_text("utf-8")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"no json\n", b'{"first_words": []}\n'])
def test_a_damaged_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "nouns.bin"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"nouns\.bin cannot be read.*install the package again"):
        Dictionary(file).find_noun("dog")
