"""The metrics: by hand on small cases, and against slow, plain code on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clipsearch.errors import VectorError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.metrics import (
    best,
    list_precision,
    overlap,
    place,
    rank_correlation,
    ranks_of,
)
from clipsearch.evaluation.retrieval import measures
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

# Few different values, so that ties are common.
SCORES = st.integers(-3, 3).map(float)


def test_the_rank_of_the_first_right_answer_and_the_average_precision() -> None:
    # Best first: right, wrong, right, wrong.
    found = place([0.9, 0.8, 0.7, 0.1], [0, 2])
    assert found.first == 1
    assert found.precision == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_ties_count_against_the_model() -> None:
    assert place([0.5, 0.5, 0.5], [1]).first == 3
    assert ranks_of([[0.5, 0.5, 0.5]], [0]).tolist() == [3]


def test_right_answers_that_tie_do_not_count_against_each_other() -> None:
    found = place([0.5, 0.5, 0.1], [0, 1])
    assert (found.first, found.precision) == (1, 1.0)


def test_nothing_right_has_no_rank() -> None:
    with pytest.raises(VectorError, match="without a right answer"):
        place([1.0, 2.0], [])


@settings(deadline=None)  # the machine may be busy
@given(st.lists(SCORES, min_size=1, max_size=12), st.data())
def test_place_against_counting_by_hand(scores: list[float], data: st.DataObject) -> None:
    numbers = st.integers(0, len(scores) - 1)
    right = data.draw(st.lists(numbers, min_size=1, max_size=len(scores), unique=True))
    wrong = [score for number, score in enumerate(scores) if number not in right]
    precisions, ranks = [], []
    for position, score in enumerate(sorted((scores[n] for n in right), reverse=True), 1):
        rank = position + sum(1 for other in wrong if other >= score)
        ranks.append(rank)
        precisions.append(position / rank)
    found = place(scores, right)
    assert found.first == min(ranks)
    assert found.precision == pytest.approx(sum(precisions) / len(precisions))


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_ranks_of_is_place_with_one_right_answer(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 7))
    scores = data.draw(arrays.arrays(np.float64, (n, m), elements=SCORES))
    right = data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    expected = [place(row, [own]).first for row, own in zip(scores, right, strict=True)]
    assert ranks_of(scores, right).tolist() == expected


def test_the_best_in_order_and_of_equal_ones_the_first() -> None:
    assert best([[1.0, 3.0, 3.0, 2.0]], 3).tolist() == [[1, 2, 3]]


def test_the_precision_of_a_list_by_hand() -> None:
    # Found a, b, c, d where c, a, x, y are right: precisions 1/1 and 2/3 at their places, of 4.
    assert list_precision([[0, 1, 2, 3]], [[2, 0, 8, 9]])[0] == pytest.approx((1 + 2 / 3) / 4)
    assert list_precision([[0, 1]], [[1, 0]]).tolist() == [1.0]
    assert list_precision([[0, 1]], [[2, 3]]).tolist() == [0.0]


@settings(deadline=None)  # the machine may be busy
@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(1, 8))
def test_the_precision_of_a_list_against_plain_code(
    one: list[int], other: list[int], k: int
) -> None:
    found, truth = one[:k], other[:k]
    hits, total = 0, 0.0
    for position, item in enumerate(found, 1):
        if item in truth:
            hits += 1
            total += hits / position
    assert list_precision([found], [truth])[0] == pytest.approx(total / k)
    assert overlap([found], [truth])[0] == pytest.approx(len(set(found) & set(truth)) / k)


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 40]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # 1 - 6 * (1 + 1) / (4 * 15), the textbook's formula without ties
    assert rank_correlation([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(0.8)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=15))
def test_rank_correlation_is_pearsons_of_the_average_ranks(
    pairs: list[tuple[float, float]],
) -> None:
    one, other = zip(*pairs, strict=True)

    def ranks(values: tuple[float, ...]) -> list[float]:
        return [
            sum(v < value for v in values) + (sum(v == value for v in values) + 1) / 2
            for value in values
        ]

    if len(set(one)) > 1 and len(set(other)) > 1:
        expected = np.corrcoef(ranks(one), ranks(other))[0, 1]
        assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-9)


def naive_recall(queries: Vectors, gallery: Vectors, right: list[set[int]], k: int) -> float:
    """One query at a time, sorted in full."""
    hits = 0
    for query, own in zip(queries, right, strict=True):
        order = sorted(range(len(gallery)), key=lambda n: -float(gallery[n] @ query))
        hits += bool(own & set(order[:k]))
    return hits / len(queries)


@settings(deadline=None, max_examples=15)  # a thousand resamples each
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_retrieval_against_a_naive_implementation(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.integers(1, 6, images)
    owner = np.repeat(np.arange(images), counts)
    pictures = normalize(random.normal(size=(images, 8)))
    texts = normalize(pictures[owner] + 0.5 * random.normal(size=(len(owner), 8)))
    found = {(one.group, one.name): one.value for one in measures(texts, pictures, owner)}
    own_texts = [set(np.flatnonzero(owner == image).tolist()) for image in range(images)]
    for k in (1, 5, 10):
        expected = naive_recall(texts, pictures, [{int(image)} for image in owner], k)
        assert found["text to image", f"R@{k}"] == pytest.approx(expected)
        expected = naive_recall(pictures, texts, own_texts, k)
        assert found["image to text", f"R@{k}"] == pytest.approx(expected)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        [found] = bootstrap.means(random.random((60, 1)) < 0.4, resamples=200)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0.4 <= found.high
    assert 88 <= inside <= 100


def test_captions_of_one_picture_are_not_independent() -> None:
    values = np.repeat([[0.0], [1.0]] * 10, 50, axis=0)  # 20 pictures, 50 captions each, all alike
    [alone] = bootstrap.means(values)
    [grouped] = bootstrap.means(values, np.repeat(np.arange(20), 50))
    assert alone.value == grouped.value == 0.5
    assert alone.high is not None
    assert grouped.high is not None
    assert grouped.high - 0.5 > 5 * (alone.high - 0.5)


def test_the_same_data_give_the_same_interval() -> None:
    values = np.random.default_rng(1).random((30, 2))
    assert bootstrap.means(values) == bootstrap.means(values)


def test_the_median_with_its_interval() -> None:
    found = bootstrap.median([1, 2, 3, 4, 100])
    assert found.value == 3
    assert found.low is not None
    assert found.high is not None
    assert 1 <= found.low <= 3 <= found.high <= 100
    assert bootstrap.median([1, 4]).value == 2.5


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 10))
def test_the_interval_of_a_median_lies_among_the_values(values: list[int], groups: int) -> None:
    found = bootstrap.median(values, np.arange(len(values)) % groups, resamples=50)
    assert found.value == np.median(values)
    assert found.low is not None
    assert found.high is not None
    assert min(values) <= found.low <= found.high <= max(values)
