"""Search for words that images show, on a real embedded store with texts of a fake reader."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from clipsearch.errors import StoreError, UsageError
from clipsearch.images.hashing import image_id
from clipsearch.query import Filters, Query, StoredImage, Term, said, says_order
from clipsearch.query.filters import NO_FILTERS
from clipsearch.query.response import Said, SearchResponse, parse_response, response_json
from clipsearch.query.search import respond, search
from clipsearch.records import Hit, SaysMatch
from clipsearch.says import loaded, text_index
from clipsearch.store import Collection
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import row
from tests.helpers.texts import BOX, text_row

RED, GREEN, BLUE = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)


@pytest.fixture(autouse=True)
def no_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test loads the texts itself."""
    monkeypatch.setattr(loaded, "_indexes", {})


def fill(collection: Collection, texts: dict[str, Sequence[str]]) -> None:
    """Store an image of each name, red, green, blue in turn, with the lines of its text."""
    colors = (RED, GREEN, BLUE)
    rows = [
        row(f"/a/{name}.jpg", colors[number % 3], content=f"hash of {name}", size=1000 + number)
        for number, name in enumerate(texts)
    ]
    collection.upsert(rows)
    read(collection, texts)


def read(collection: Collection, texts: dict[str, Sequence[str]]) -> None:
    collection.texts.upsert(
        [
            text_row(f"/a/{name}.jpg", lines, content=f"hash of {name}")
            for name, lines in texts.items()
        ]
    )


def no_encoder() -> ColorEncoder:
    raise AssertionError("words alone need no model")


def find(collection: Collection, says: str, *terms: Term, **options: Any) -> list[Hit]:
    encoder = ColorEncoder if terms else no_encoder
    return search([Query(terms, says=says, **options)], encoder, collection)[0]


def names(hits: Sequence[Hit]) -> list[str]:
    return [hit.path.stem for hit in hits]


def answer(
    collection: Collection, says: str | None, *terms: Term, **options: Any
) -> SearchResponse:
    return respond(Query(terms, says=says, **options), ColorEncoder, collection)


def test_the_best_matches_come_first(collection: Collection) -> None:
    fill(
        collection,
        {
            "similar": ["PH0TO"],
            "infix": ["telephotos"],
            "split": ["pho to"],
            "accent": ["phóto"],
            "long": ["a photo and more words"],
            "word": ["Photo"],
            "prefix": ["photograph"],
            "none": ["phone", "to"],
        },
    )
    hits = find(collection, "photo")
    assert names(hits) == ["word", "long", "accent", "prefix", "infix", "split", "similar"]
    assert [hit.says[0].match for hit in hits] == [
        *["word"] * 3,
        *["prefix", "infix", "split", "similar"],
    ]
    assert hits[0].score == 1
    assert [hit.z for hit in hits] == [None] * 7


def test_every_word_must_occur_and_phrases_in_order(collection: Collection) -> None:
    fill(
        collection,
        {
            "plate": ["D", "RE16 TGK"],
            "joined": ["RE16TGK"],
            "two": ["RE16 ABC", "XY12 TGK"],
            "other": ["RE16 TGX"],
        },
    )
    assert names(find(collection, "RE16 TGK")) == ["plate", "two", "joined"]
    assert names(find(collection, '"re16 tgk"')) == ["plate"]
    assert names(find(collection, "re16tgk")) == ["joined", "plate"]
    assert names(find(collection, "RE16 TGK", limit=1, offset=1)) == ["two"]


def test_the_lines_that_show_the_words_have_boxes(collection: Collection) -> None:
    fill(collection, {"a": ["Welcome to", "IKEA Berlin", "café"]})
    [hit] = find(collection, "berlin cafe wel")
    assert hit.says == (
        SaysMatch("Welcome to", BOX, "prefix"),
        SaysMatch("IKEA Berlin", BOX, "word"),
        SaysMatch("café", BOX, "word"),
    )


def test_parts_of_words_without_spaces_are_found(collection: Collection) -> None:
    fill(collection, {"tokyo": ["東京都庁"], "kyoto": ["京都"], "across": ["東", "京"]})
    assert sorted(names(find(collection, "東京"))) == ["across", "tokyo"]
    assert names(find(collection, "京都")) == ["kyoto", "tokyo"]


def test_terms_and_words_are_fused(collection: Collection) -> None:
    fill(collection, {"red": ["sale"], "green": ["sales"], "blue": ["shoes"], "red2": ["sale now"]})
    hits = find(collection, "sale", Term("green"))
    assert sorted(names(hits)) == ["green", "red", "red2"]
    assert hits[0].path.stem == "red"
    assert {hit.path.stem: round(hit.score, 2) for hit in hits}["green"] == 1
    assert names(find(collection, "sale", Term("green"), min_score=0.5)) == ["green"]
    similar = find(collection, "sale", Term(StoredImage(image_id(Path("/a/red.jpg")))))
    assert names(similar)[:2] == ["red", "red2"]


def test_filters_and_pages(collection: Collection) -> None:
    fill(collection, {f"n{number}": [f"sale {'x ' * number}"] for number in range(60)})
    assert names(find(collection, "sale", limit=3)) == ["n0", "n1", "n2"]
    assert names(find(collection, "sale", limit=3, offset=57)) == ["n57", "n58", "n59"]
    filters = Filters(expression="size >= 1050")
    assert names(find(collection, "sale", limit=2, filters=filters)) == ["n50", "n51"]
    filters = Filters(glob="n4?.jpg")
    assert names(find(collection, "sale", filters=filters)) == [f"n4{n}" for n in range(10)]
    assert find(collection, "sale", filters=Filters(taken_from=datetime(2020, 1, 1))) == []


@pytest.mark.parametrize("small", [0, 1_000])
def test_pages_of_many_matches_repeat_and_miss_none(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(says_order, "FEW", 4)
    monkeypatch.setattr(says_order, "FIRST_IDS", 1)
    monkeypatch.setattr(says_order, "SMALL_SELECTION", small)
    words = ["sale", "sales", "wholesale"]
    fill(collection, {f"n{number:02}": [f"{words[number % 3]} {number}"] for number in range(40)})
    early = Filters(expression="size < 1020")
    late = Filters(glob="n3?.jpg")
    for terms in ((), (Term("blue"),)):
        for filters, count in ((NO_FILTERS, 40), (early, 20), (late, 10)):
            pages = [
                names(find(collection, "sale", *terms, filters=filters, limit=3, offset=offset))
                for offset in range(0, count + 3, 3)
            ]
            together = [name for page in pages for name in page]
            assert together == names(
                find(collection, "sale", *terms, filters=filters, limit=count + 1)
            )
            assert len(set(together)) == len(together) == count
    best_scores = names(find(collection, "sale", Term("blue"), limit=8))
    assert {"n02", "n05"} & set(best_scores)  # blue, though not among the best matches


def test_a_fusion_of_very_many_matches_says_that_some_are_not_ranked(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "MAX_RESULTS", 2)
    fill(collection, {"a": ["sale"], "b": ["sale"], "c": ["sale"]})
    [warning] = answer(collection, "sale", Term("red")).warnings
    assert warning.startswith("3 images show the words, of which the 2 best matches")
    assert answer(collection, "sale", limit=3).warnings == []


def test_a_text_of_another_content_is_not_shown(collection: Collection) -> None:
    fill(collection, {"a": ["sale"], "b": ["sale"]})
    assert len(find(collection, "sale")) == 2
    collection.upsert([row("/a/a.jpg", RED, content="new content")])
    assert names(find(collection, "sale")) == ["b"]
    collection.delete([image_id(Path("/a/b.jpg"))])
    assert find(collection, "sale") == []


def test_new_and_changed_texts_are_found_at_once(collection: Collection) -> None:
    fill(collection, {"a": ["old"], "b": ["other"]})
    assert names(find(collection, "old")) == ["a"]
    read(collection, {"a": ["new"]})
    assert find(collection, "old") == []
    assert names(find(collection, "new")) == ["a"]
    fill(collection, {"c": ["new words"]})
    assert names(find(collection, "new")) == ["a", "c"]


def test_why_nothing_is_found(collection: Collection) -> None:
    collection.upsert([row("/a/a.jpg"), row("/a/b.jpg", content="hash of b")])
    response = answer(collection, "ikea")
    assert (
        response.reasons[0] == "no image was read yet: `clipsearch read` reads the texts of images"
    )
    read(collection, {"b": ["IKEA store"]})
    response = answer(collection, "ikae store")
    assert response.reasons[0] == "no image shows 'ikae'; the nearest word that one does is 'ikea'"
    assert response.warnings == [
        "1 of 2 images were read: `clipsearch read` reads the texts of images, with --all of all"
    ]
    reasons = answer(collection, "Москва").reasons
    assert reasons[0] == "no image shows 'москва'"
    assert "cyrillic" in reasons[1]
    assert answer(collection, "store", offset=5).reasons[-1].startswith("fewer than 6 images match")
    assert answer(collection, "e").reasons[0] == "no image shows 'e' in whole words"
    assert answer(collection, '"stor"').reasons[0] == (
        "no image shows 'stor' in whole words; the nearest word that one does is 'store'"
    )
    assert answer(collection, "東京 ikea.de").reasons[:2] == [
        "no image shows '東京'",
        "no image shows 'ikea.de'",
    ]
    read(collection, {"b": ["IKEA"], "a": ["store"]})
    assert "no image shows all of them" in answer(collection, "ikea store").reasons[0]


def test_a_text_query_says_that_images_show_its_words(collection: Collection) -> None:
    fill(collection, {"a": ["Apple"], "b": ["red apple"], "c": ["apples"]})
    assert answer(collection, None, Term("apple")).said == []  # the texts are not in memory
    assert answer(collection, "apple").said == []
    response = answer(collection, None, Term("an apple"), Term("apple"))
    assert response.said == [Said("apple", 2)]
    assert parse_response(response_json(response)).said == (Said("apple", 2),)
    collection.delete([image_id(Path("/a/b.jpg"))])
    assert answer(collection, None, Term("apple")).said == [Said("apple", 1)]


def test_texts_that_do_not_fit_into_memory_are_an_error(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(collection, {"a": ["sale"]})
    with monkeypatch.context() as patch:
        patch.setattr(text_index, "total_memory", lambda: 1_000_000)
        with pytest.raises(StoreError, match="do not fit into memory"):
            find(collection, "sale")
    assert names(find(collection, "sale")) == ["a"]


@pytest.mark.parametrize(
    ("says", "options", "message"),
    [
        ("", {}, "no letters"),
        (" ... ", {}, "no letters"),
        ("a", {"min_score": 0.1}, "min_score"),
        ("a", {"min_z": 1}, "min_z"),
        ("a", {"textness": 1}, "textness"),
        ("a", {"max_textness": 0.5}, "textness"),
        ("x " * 600, {}, "1,000"),
        (" ".join(f"w{n}" for n in range(40)), {}, "32"),
        (3, {}, "string"),
    ],
)
def test_wrong_words_and_options_are_refused(
    says: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Query((), says=says, **options)
