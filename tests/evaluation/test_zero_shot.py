"""Zero-shot accuracy on class folders of drawn images."""

from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.evaluation import evaluate_zero_shot, read_class_names
from tests.helpers.fakes import ColorEncoder


def test_the_names_of_folders_are_the_labels(classes: Path, encoder: ColorEncoder) -> None:
    evaluation = evaluate_zero_shot(classes, model=encoder, ensemble=["plain", "a {} wall"])
    assert dict(evaluation.counts) == {"images": 6, "classes": 3, "templates": 2}
    assert evaluation.measure("one template", "top-1").value == 1
    assert evaluation.measure("ensemble", "top-1").value == 1
    assert evaluation.measure("gain of the ensemble", "top-1").value == 0


def test_swapped_labels_are_wrong(classes: Path, encoder: ColorEncoder) -> None:
    swapped = {"red": "green", "green": "blue", "blue": "red"}
    evaluation = evaluate_zero_shot(classes, model=encoder, labels=swapped, per_class=1)
    assert evaluation.counts["images"] == 3
    assert evaluation.measure("one template", "top-1").value == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"template": "a photo"}, "has no {}"),
        ({"labels": {"red": "blue"}}, "given twice: 'blue'"),
        ({"per_class": 0}, "at least 1"),
    ],
)
def test_invalid_options_raise_usage_error(
    options: dict[str, object], reason: str, classes: Path, encoder: ColorEncoder
) -> None:
    with pytest.raises(UsageError, match=reason):
        evaluate_zero_shot(classes, model=encoder, **options)  # type: ignore[arg-type]
    assert encoder.embedded_images == 0


def test_one_class_is_too_few(classes: Path, encoder: ColorEncoder) -> None:
    with pytest.raises(UsageError, match="two or more folders"):
        evaluate_zero_shot(classes / "red", model=encoder)


def test_class_names_are_read_from_lines(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("n01 tabby cat\nn02\tdog\n")
    assert read_class_names(path) == {"n01": "tabby cat", "n02": "dog"}
    path.write_text("n01\n")
    with pytest.raises(UsageError, match="line 1: no label follows 'n01'"):
        read_class_names(path)


def test_an_image_in_two_class_folders_is_an_error(classes: Path, encoder: ColorEncoder) -> None:
    (classes / "green" / "red.png").symlink_to(classes / "red" / "0.png")
    with pytest.raises(UsageError, match=r"0\.png is in two class folders"):
        evaluate_zero_shot(classes, model=encoder)
    assert encoder.embedded_images == 0
