"""Two models evaluated on the same data."""

from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.evaluation import compare_models
from tests.evaluation.conftest import WrongEncoder
from tests.helpers.fakes import ColorEncoder


def test_two_models_side_by_side(captions: Path, classes: Path, encoder: ColorEncoder) -> None:
    bars: list[str] = []
    evaluations = compare_models(
        [encoder, WrongEncoder()],
        captions=captions,
        classes=classes,
        progress=lambda name: bars.append(name),
    )
    assert len(bars) == 4
    good, bad = (evaluation.measure("text to image", "R@1").value for evaluation in evaluations)
    assert good > bad
    assert evaluations[0].kind == "retrieval + zeroshot"
    assert evaluations[0].counts["images (zeroshot)"] == 6


@pytest.mark.parametrize(
    ("models", "has_data", "reason"),
    [
        (["pocket", "pocket"], True, "two or more different models"),
        (["pocket"], True, "two or more different models"),
        (["pocket", "clip"], False, "nothing to compare on"),
    ],
)
def test_nothing_to_compare_is_an_error(
    models: list[str], has_data: bool, reason: str, captions: Path
) -> None:
    with pytest.raises(UsageError, match=reason):
        compare_models(models, captions=captions if has_data else None)
