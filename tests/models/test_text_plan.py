"""The gate and the meanings of nouns, on vectors that can be computed by hand."""

import numpy as np
import pytest

from clipsearch.models.pocket.dictionary import Dictionary
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.pocket.noun_query import noun_of
from clipsearch.models.pocket.text_plan import CLASSES, LEARNED, TextPlan, join_phrasings, plan_text
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

DICTIONARY = Dictionary()
DIM = 512


def made(learned: int, classes: float, rest: float) -> Vectors:
    """A vector whose parts each lie on one axis: (512,) of length 1."""
    vector = np.zeros(DIM, np.float32)
    vector[learned], vector[LEARNED], vector[-1] = 1, classes, rest
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("query", "noun"),
    [
        ("okapi", "okapi"),
        ("a photo of an okapi", "okapi"),
        ("A photo of the Okapi.", "Okapi"),
        ("a photo with a sea horse in it", "sea horse"),
        ("a picture of pizza", "pizza"),
        ("images of mother-in-law's cats", "mother-in-law's cats"),
        ("a dog runs on the wet beach", None),
        ("“love”", None),
        ("a dog, a cat", None),
        ("", None),
        ("  ", None),
        ("?", None),
        ("a", None),
        ("a photo of a", None),
        ("Two", None),
        ("42", None),
        ("犬", "犬"),
        ("two dogs", "two dogs"),
    ],
)
def test_the_noun_of_a_query(query: str, noun: str | None) -> None:
    assert noun_of(query) == noun


@pytest.mark.parametrize(
    ("query", "classes", "phrasings"),
    [
        ("okapi", 2.0, 3),
        ("a photo of a crane", 2.0, 5),
        ("a photo of a dog", 1.0, 2),
        ("a red car", 1.0, 1),
        ("a child in a red shirt", 1.0, 1),
        ("a child in a red shirt on a swing", 0.5, 1),
        ("an okapi on the beach", 1.0, 1),
        ("", 1.0, 1),
    ],
)
def test_rare_nouns_weigh_classes_more_and_long_texts_less(
    query: str, classes: float, phrasings: int
) -> None:
    plan = plan_text(query, DICTIONARY)
    assert plan.classes == classes
    assert len(plan.phrasings) == phrasings
    assert plan.phrasings[0][0] == query
    assert sum(share for _, share in plan.phrasings) == pytest.approx(1)


def test_a_text_without_meanings_and_weight_one_is_unchanged() -> None:
    vector = made(3, 0.7, 0.4)
    joined = join_phrasings(vector[None], TextPlan([("a red car", 1.0)], 1.0))
    np.testing.assert_allclose(joined, vector, atol=1e-6)


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_the_weight_scales_the_class_part_and_nothing_else(weight: float) -> None:
    vector = made(3, 0.7, 0.4)
    joined = join_phrasings(vector[None], TextPlan([("x", 1.0)], weight))
    np.testing.assert_allclose(joined[LEARNED] / joined[3], 0.7 * weight, rtol=1e-5)
    assert joined[-1] == vector[-1]
    np.testing.assert_allclose(np.linalg.norm(joined), 1, atol=1e-6)


def test_phrasings_are_averaged_by_their_shares() -> None:
    vectors = np.stack([made(0, 0.3, 0.5), made(1, 0.9, 9.0)])
    joined = join_phrasings(vectors, TextPlan([("x", 0.75), ("y", 0.25)], 1.0))
    np.testing.assert_allclose(joined[1] / joined[0], 0.25 / 0.75, rtol=1e-5)
    learned = np.linalg.norm(joined[:LEARNED])
    np.testing.assert_allclose(joined[LEARNED] / learned, 0.75 * 0.3 + 0.25 * 0.9, rtol=1e-5)
    assert joined[-1] == vectors[0, -1]  # written words are those of the text itself


def test_the_parts_are_those_that_training_packs() -> None:
    pytest.importorskip("torch")
    from training.heads.assemble import CLASS_AXES
    from training.packing.pack import READING_DIM

    assert CLASSES == CLASS_AXES
    assert PocketEncoder().identity.dim - READING_DIM - CLASS_AXES - 1 == LEARNED


def test_a_rare_noun_is_nearer_to_its_meaning_than_without_it() -> None:
    pocket = PocketEncoder()
    okapi, ordinary = "an okapi", "an okapi on a long and winding road somewhere"
    [noun] = normalize(pocket.encode_texts([okapi]))
    [plain] = normalize(pocket.encode_texts([ordinary]))
    giraffe = normalize(pocket.encode_texts(["a photo of a giraffe"]))[0]
    assert noun @ giraffe > plain @ giraffe
