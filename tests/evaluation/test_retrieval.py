"""Retrieval on drawn images, whose ranks can be predicted by hand, and against naive code."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.evaluation import CaptionedImage, evaluate_retrieval
from clipsearch.evaluation.retrieval import retrieval_measures
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.evaluation.conftest import COLORS, RIGHT, CountingProgress
from tests.helpers.fakes import ColorEncoder, draw


def test_a_model_that_knows_colors_finds_them(captions: Path, encoder: ColorEncoder) -> None:
    progress = CountingProgress()
    evaluation = evaluate_retrieval(captions, model=encoder, progress=progress)
    assert dict(evaluation.counts) == {"images": 3, "captions": 6}
    assert (progress.total, progress.done) == (9, 9)
    for group in ("text to image", "image to text"):
        assert [evaluation.measure(group, name).value for name in ("R@1", "mAP")] == [1.0, 1.0]
        assert evaluation.measure(group, "median rank").value == 1
    with pytest.raises(UsageError, match=r"no measure text: R@1; there are text to image: R@1"):
        evaluation.measure("text", "R@1")


def test_swapped_captions_lower_the_measures_as_expected(
    image_folder: Path, encoder: ColorEncoder
) -> None:
    # Green's and blue's captions are swapped: 1 of 3 right at rank 1, the others at rank 3, since
    # images of other colors than a caption's are equally far from it, and ties count against.
    swapped = [
        CaptionedImage("red.png", ("red",)),
        CaptionedImage("green.png", ("blue",)),
        CaptionedImage("blue.png", ("green",)),
    ]
    evaluation = evaluate_retrieval(swapped, model=encoder, images=image_folder)
    assert evaluation.measure("text to image", "R@1").value == pytest.approx(1 / 3)
    assert evaluation.measure("text to image", "mAP").value == pytest.approx(
        (1 + 1 / 3 + 1 / 3) / 3
    )
    assert evaluation.measure("text to image", "median rank").value == 3


def test_missing_and_broken_images_are_counted_and_named(
    captions: Path, encoder: ColorEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    (captions.parent / "green.png").unlink()
    (captions.parent / "blue.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    with caplog.at_level(logging.WARNING, "clipsearch"):
        evaluation = evaluate_retrieval(captions, model=encoder)
    assert evaluation.counts["images"] == 1
    assert {failure.path.name for failure in evaluation.skipped} == {"green.png", "blue.png"}
    assert "2 of 3 images are skipped: green.png (no such file)" in caplog.text


def test_no_image_left_is_an_error(captions: Path, encoder: ColorEncoder, tmp_path: Path) -> None:
    other_folder = draw(tmp_path / "empty" / "x.png").parent
    with pytest.raises(UsageError, match=r"none of the 3 captioned images is in .*--images"):
        evaluate_retrieval(RIGHT, model=encoder, images=other_folder)
    with pytest.raises(UsageError, match="no such folder of images"):
        evaluate_retrieval(captions, model=encoder, images=tmp_path / "nowhere")
    assert encoder.embedded_images == 0


def test_images_in_the_folder_images_are_found(captions: Path, encoder: ColorEncoder) -> None:
    folder = captions.parent / "images"
    folder.mkdir()
    for color in COLORS:
        (captions.parent / f"{color}.png").rename(folder / f"{color}.png")
    assert evaluate_retrieval(captions, model=encoder, limit=2).counts["images"] == 2


def test_an_image_named_twice_counts_once(image_folder: Path, encoder: ColorEncoder) -> None:
    twice = [
        CaptionedImage("red.png", ("red",)),
        CaptionedImage("./red.png", ("a red wall",)),
        *RIGHT[1:],
    ]
    evaluation = evaluate_retrieval(twice, model=encoder, images=image_folder)
    assert evaluation.counts == {"images": 3, "captions": 6}


def naive_recall(queries: Vectors, gallery: Vectors, right: list[set[int]], k: int) -> float:
    """One query at a time, sorted in full."""
    hits = 0
    for query, own in zip(queries, right, strict=True):
        order = sorted(range(len(gallery)), key=lambda n: -float(gallery[n] @ query))
        hits += bool(own & set(order[:k]))
    return hits / len(queries)


@settings(max_examples=15)  # a thousand resamples each
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_retrieval_against_a_naive_implementation(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    image_of = np.repeat(np.arange(count), random.integers(1, 6, count))
    images = normalize(random.normal(size=(count, 8)))
    texts = normalize(images[image_of] + 0.5 * random.normal(size=(len(image_of), 8)))
    measures = retrieval_measures(texts, images, image_of)
    values = {(measure.group, measure.name): measure.value for measure in measures}
    own_texts = [set(np.flatnonzero(image_of == image).tolist()) for image in range(count)]
    for k in (1, 5, 10):
        expected = naive_recall(texts, images, [{int(image)} for image in image_of], k)
        assert values["text to image", f"R@{k}"] == pytest.approx(expected)
        expected = naive_recall(images, texts, own_texts, k)
        assert values["image to text", f"R@{k}"] == pytest.approx(expected)
