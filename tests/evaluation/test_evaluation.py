"""Evaluations on drawn pictures, whose vectors can be told by hand, and by the command line."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import UsageError
from clipsearch.evaluation import CaptionedImage, evaluate_ann_recall, read_captions
from clipsearch.evaluation.agreement import evaluate_agreement
from clipsearch.evaluation.compare import compare_models
from clipsearch.evaluation.retrieval import evaluate_retrieval
from clipsearch.evaluation.zero_shot import evaluate_zero_shot
from clipsearch.files.discover import FileSource
from clipsearch.models.base import Encoder
from clipsearch.store import Collection
from clipsearch.types import Pixels, Vectors
from ingest.pipeline import IngestOptions, ingest
from tests.helpers.fakes import ColorEncoder, draw

COLORS = ("red", "green", "blue")
RIGHT = [CaptionedImage(f"{c}.png", (f"{c} wall", f"a {c} square")) for c in COLORS]


class Bar:
    """A progress bar that remembers."""

    total: float | None = None
    done = 0.0

    def update(self, n: float) -> object:
        self.done += n
        return None


@pytest.fixture
def captions(photos: Path) -> Path:
    """A caption file beside the three pictures."""
    path = photos / "captions.jsonl"
    lines = [{"file": one.file, "captions": one.captions} for one in RIGHT]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """A folder of 30 pictures of different colours."""
    random = np.random.default_rng(0)
    for number in range(30):
        red, green, blue = (int(value) for value in random.integers(10, 250, 3))
        draw(tmp_path / "shades" / f"{number:02}.png", (red, green, blue))
    return tmp_path / "shades"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Class folders of two pictures each."""
    for colour in COLORS:
        for number in range(2):
            draw(tmp_path / "classes" / colour / f"{number}.png", colour)
    return tmp_path / "classes"


def test_a_model_that_knows_colours_finds_them(captions: Path, encoder: ColorEncoder) -> None:
    bar = Bar()
    found = evaluate_retrieval(captions, model=encoder, progress=bar)
    assert dict(found.counts) == {"images": 3, "captions": 6}
    assert (bar.total, bar.done) == (9, 9)
    for group in ("text to image", "image to text"):
        assert [found.measure(group, name).value for name in ("R@1", "mAP")] == [1.0, 1.0]
        assert found.measure(group, "median rank").value == 1
    with pytest.raises(UsageError, match=r"no measure text: R@1; there are text to image: R@1"):
        found.measure("text", "R@1")


def test_wrong_captions_are_found_out_by_hand(photos: Path, encoder: ColorEncoder) -> None:
    # Green's and blue's captions are swapped: 1 of 3 right at rank 1, the others at rank 3, since
    # pictures of other colours than a caption's are equally far from it, and ties count against.
    swapped = [
        CaptionedImage("red.png", ("red",)),
        CaptionedImage("green.png", ("blue",)),
        CaptionedImage("blue.png", ("green",)),
    ]
    found = evaluate_retrieval(swapped, model=encoder, images=photos)
    assert found.measure("text to image", "R@1").value == pytest.approx(1 / 3)
    assert found.measure("text to image", "mAP").value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert found.measure("text to image", "median rank").value == 3


def test_missing_and_broken_pictures_are_counted_and_named(
    captions: Path, encoder: ColorEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    (captions.parent / "green.png").unlink()
    (captions.parent / "blue.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    with caplog.at_level(logging.WARNING, "clipsearch"):
        found = evaluate_retrieval(captions, model=encoder)
    assert found.counts["images"] == 1
    assert {one.path.name for one in found.skipped} == {"green.png", "blue.png"}
    assert "2 of 3 pictures are left out: green.png (no such file)" in caplog.text


def test_no_picture_left_is_an_error(captions: Path, encoder: ColorEncoder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of the 3 captioned pictures is in .*--images"):
        evaluate_retrieval(RIGHT, model=encoder, images=draw(tmp_path / "empty" / "x.png").parent)
    with pytest.raises(UsageError, match="no such folder of pictures"):
        evaluate_retrieval(captions, model=encoder, images=tmp_path / "nowhere")
    assert encoder.embedded_images == 0


def test_pictures_in_the_folder_images_are_found(captions: Path, encoder: ColorEncoder) -> None:
    folder = captions.parent / "images"
    folder.mkdir()
    for colour in COLORS:
        (captions.parent / f"{colour}.png").rename(folder / f"{colour}.png")
    assert evaluate_retrieval(captions, model=encoder, limit=2).counts["images"] == 2


def test_a_picture_named_twice_is_one(photos: Path, encoder: ColorEncoder) -> None:
    twice = [
        CaptionedImage("red.png", ("red",)),
        CaptionedImage("./red.png", ("a red wall",)),
        *RIGHT[1:],
    ]
    assert evaluate_retrieval(twice, model=encoder, images=photos).counts == {
        "images": 3,
        "captions": 6,
    }


def test_zero_shot_by_the_names_of_folders(classes: Path, encoder: ColorEncoder) -> None:
    found = evaluate_zero_shot(classes, model=encoder, ensemble=["plain", "a {} wall"])
    assert dict(found.counts) == {"images": 6, "classes": 3, "templates": 2}
    assert found.measure("one template", "top-1").value == 1
    assert found.measure("ensemble", "top-1").value == 1
    assert found.measure("gain of the ensemble", "top-1").value == 0


def test_zero_shot_with_other_names_is_wrong(classes: Path, encoder: ColorEncoder) -> None:
    swapped = {"red": "green", "green": "blue", "blue": "red"}
    found = evaluate_zero_shot(classes, model=encoder, labels=swapped, per_class=1)
    assert found.counts["images"] == 3
    assert found.measure("one template", "top-1").value == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"template": "a photo"}, "has no {}"),
        ({"labels": {"red": "blue"}}, "given twice: 'blue'"),
        ({"per_class": 0}, "at least 1"),
    ],
)
def test_zero_shot_refuses(
    wrong: dict[str, object], reason: str, classes: Path, encoder: ColorEncoder
) -> None:
    with pytest.raises(UsageError, match=reason):
        evaluate_zero_shot(classes, model=encoder, **wrong)  # type: ignore[arg-type]
    assert encoder.embedded_images == 0


def test_one_class_is_too_few(classes: Path, encoder: ColorEncoder) -> None:
    with pytest.raises(UsageError, match="two or more folders"):
        evaluate_zero_shot(classes / "red", model=encoder)


class Rounded(ColorEncoder):
    """The same model in a coarse precision."""

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.asarray(np.round(super().encode_images(pixels) / 8) * 8, dtype=np.float32)


class Blind(ColorEncoder):
    """Another model, to which colours mean something else."""

    def __init__(self) -> None:
        super().__init__(weights="b11d")

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.roll(255 - super().encode_images(pixels), 1, axis=1)


def values(images: Path, model: Encoder, against: Encoder, queries: list[str]) -> dict[str, float]:
    found = evaluate_agreement([images], model=model, against=against, queries=queries)
    return {one.name: one.value for one in found.measures}


@pytest.mark.parametrize("queries", [[], ["red", "green", "blue", "red blue"]])
def test_agreement_falls_with_the_difference(
    shades: Path, encoder: ColorEncoder, queries: list[str]
) -> None:
    same = values(shades, encoder, ColorEncoder(), queries)
    near = values(shades, Rounded(), encoder, queries)
    far = values(shades, Blind(), encoder, queries)
    assert same["mAP@10-20"] == same["rank correlation"] == pytest.approx(1)
    assert same["cosine"] == pytest.approx(1)
    assert 0.9 < near["mAP@10-20"] < 1
    assert near["lowest cosine"] < 1
    assert far["mAP@10-20"] < near["mAP@10-20"]
    assert far["rank correlation"] < 0.8
    assert "cosine" not in far  # vectors of different models are not compared


def test_map_at_n_by_plain_code(shades: Path) -> None:
    paths = sorted(shades.iterdir())
    with_one, with_other = ColorEncoder(), Blind()
    found = values(shades, with_one, with_other, ["red"])

    def order(encoder: ColorEncoder) -> list[int]:
        from clipsearch.images.decode import decode
        from clipsearch.models.embedding import embed_images, embed_texts

        pictures = embed_images(encoder, [decode(path).image for path in paths])
        scores = pictures @ embed_texts(encoder, ["red"])[0]
        return sorted(range(len(paths)), key=lambda n: -float(scores[n]))

    ours, theirs = order(with_one)[:10], set(order(with_other)[:10])
    hits, total = 0, 0.0
    for position, picture in enumerate(ours, 1):
        if picture in theirs:
            hits += 1
            total += hits / position
    assert found["mAP@10"] == pytest.approx(total / 10)


def test_agreement_needs_enough_pictures(photos: Path, encoder: ColorEncoder) -> None:
    with pytest.raises(UsageError, match="more than 20 pictures, not 3"):
        evaluate_agreement([photos], model=encoder, against=encoder)


def test_exact_search_is_exact(shades: Path, collection: Collection, encoder: ColorEncoder) -> None:
    ingest(FileSource([shades]), collection, encoder, IngestOptions())
    bar = Bar()
    found = evaluate_ann_recall(collection, progress=bar)
    assert dict(found.counts) == {"images": 30, "queries": 30}
    assert [one.value for one in found.measures] == [1.0, 1.0]  # recall@1 and @10
    assert bar.done == 30


def test_an_index_that_misses_is_found_out(
    shades: Path, collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(FileSource([shades]), collection, encoder, IngestOptions())
    whole = Collection.scores

    def half(self: Collection, queries: Vectors, *, limit: int, where: str = "") -> list[Vectors]:
        return [scores[::2] for scores in whole(self, queries, limit=limit, where=where)]

    monkeypatch.setattr(Collection, "scores", half)
    found = evaluate_ann_recall(collection)
    assert found.measure("approximate search", "recall@1").value == 1
    assert found.measure("approximate search", "recall@10").value == pytest.approx(0.5, abs=0.01)


def test_an_empty_collection_has_nothing_to_find(collection: Collection) -> None:
    with pytest.raises(UsageError, match="is empty"):
        evaluate_ann_recall(collection)


def test_two_models_side_by_side(captions: Path, classes: Path, encoder: ColorEncoder) -> None:
    asked: list[str] = []
    results = compare_models(
        [encoder, Blind()], captions=captions, classes=classes, progress=lambda name: asked.append(name)
    )  # fmt: skip
    assert len(asked) == 4
    good, bad = (one.measure("text to image", "R@1").value for one in results)
    assert good > bad
    assert results[0].kind == "retrieval + zeroshot"
    assert results[0].counts["images (zeroshot)"] == 6


@pytest.mark.parametrize(
    ("models", "data", "reason"),
    [
        (["pocket", "pocket"], True, "two or more different models"),
        (["pocket"], True, "two or more different models"),
        (["pocket", "clip"], False, "nothing to compare on"),
    ],
)
def test_nothing_to_compare(models: list[str], data: bool, reason: str, captions: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        compare_models(models, captions=captions if data else None)


def test_the_captions_of_the_development_data_are_read(shared_data: Path) -> None:
    pairs = read_captions(shared_data / "flickr8k" / "captions.jsonl", split="val")
    assert len(pairs) == 500
    assert {len(pair.captions) for pair in pairs} == {5}
