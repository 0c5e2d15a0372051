"""The metrics: by hand on small cases, and against slow, plain code on random ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clipsearch.errors import VectorError
from clipsearch.evaluation.metrics import (
    average_precision_at_k,
    rank_correlation,
    rank_query,
    rank_targets,
    top_k,
)

# Few different values, so that ties are common.
SCORES = st.integers(-3, 3).map(float)


def test_the_rank_of_the_first_relevant_item_and_the_average_precision() -> None:
    # Best first: right, wrong, right, wrong.
    ranking = rank_query([0.9, 0.8, 0.7, 0.1], [0, 2])
    assert ranking.first_rank == 1
    assert ranking.average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_ties_count_against_the_model() -> None:
    assert rank_query([0.5, 0.5, 0.5], [1]).first_rank == 3
    assert rank_targets([[0.5, 0.5, 0.5]], [0]).tolist() == [3]


def test_relevant_items_that_tie_do_not_count_against_each_other() -> None:
    ranking = rank_query([0.5, 0.5, 0.1], [0, 1])
    assert (ranking.first_rank, ranking.average_precision) == (1, 1.0)


def test_a_query_without_a_relevant_item_has_no_rank() -> None:
    with pytest.raises(VectorError, match="without a relevant item"):
        rank_query([1.0, 2.0], [])


@given(st.lists(SCORES, min_size=1, max_size=12), st.data())
def test_rank_query_against_a_naive_implementation(
    scores: list[float], data: st.DataObject
) -> None:
    indices = st.integers(0, len(scores) - 1)
    relevant = data.draw(st.lists(indices, min_size=1, max_size=len(scores), unique=True))
    irrelevant_scores = [score for n, score in enumerate(scores) if n not in relevant]
    precisions, ranks = [], []
    for position, score in enumerate(sorted((scores[n] for n in relevant), reverse=True), 1):
        rank = position + sum(1 for other in irrelevant_scores if other >= score)
        ranks.append(rank)
        precisions.append(position / rank)
    ranking = rank_query(scores, relevant)
    assert ranking.first_rank == min(ranks)
    assert ranking.average_precision == pytest.approx(sum(precisions) / len(precisions))


@given(st.data())
def test_rank_targets_is_rank_query_with_one_relevant_item(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 7))
    scores = data.draw(arrays.arrays(np.float64, (n, m), elements=SCORES))
    targets = data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    expected = [
        rank_query(row, [target]).first_rank for row, target in zip(scores, targets, strict=True)
    ]
    assert rank_targets(scores, targets).tolist() == expected


def test_top_k_is_in_order_and_stable() -> None:
    assert top_k([[1.0, 3.0, 3.0, 2.0]], 3).tolist() == [[1, 2, 3]]


def test_average_precision_at_k_by_hand() -> None:
    # Results a, b, c, d; c, a, x, y are right: precisions 1/1 and 2/3 at their positions, of 4.
    assert average_precision_at_k([[0, 1, 2, 3]], [[2, 0, 8, 9]])[0] == pytest.approx(
        (1 + 2 / 3) / 4
    )
    assert average_precision_at_k([[0, 1]], [[1, 0]]).tolist() == [1.0]
    assert average_precision_at_k([[0, 1]], [[2, 3]]).tolist() == [0.0]


@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(1, 8))
def test_average_precision_at_k_against_a_naive_implementation(
    first: list[int], second: list[int], k: int
) -> None:
    results, relevant = first[:k], second[:k]
    hits, total = 0, 0.0
    for position, item in enumerate(results, 1):
        if item in relevant:
            hits += 1
            total += hits / position
    assert average_precision_at_k([results], [relevant])[0] == pytest.approx(total / k)


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 40]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # 1 - 6 * (1 + 1) / (4 * 15), the textbook's formula without ties
    assert rank_correlation([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(0.8)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=15))
def test_rank_correlation_is_pearsons_of_the_average_ranks(
    pairs: list[tuple[float, float]],
) -> None:
    first, second = zip(*pairs, strict=True)

    def ranks(values: tuple[float, ...]) -> list[float]:
        return [
            sum(v < value for v in values) + (sum(v == value for v in values) + 1) / 2
            for value in values
        ]

    if len(set(first)) > 1 and len(set(second)) > 1:
        expected = np.corrcoef(ranks(first), ranks(second))[0, 1]
        assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-9)
