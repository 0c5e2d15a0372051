"""Zero-shot classification of files and collections."""

from pathlib import Path

import numpy as np
import pytest

from clipsearch import Index, classify_images
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.fakes import draw


def never() -> Encoder:
    raise AssertionError("no model is needed")


def test_files_are_classified_and_failures_reported(image_folder: Path) -> None:
    (image_folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    labels = ["a red square", "a green square", "a blue square"]
    found = classify_images([image_folder], labels, model="pocket", templates=["plain"])
    assert [one.record.path.name for one in found.images] == ["blue.png", "green.png", "red.png"]
    assert [failure.path.name for failure in found.failed] == ["broken.jpg"]
    for one in found.images:
        assert {p.label for p in one.predictions} == set(labels)
        assert sum(p.probability for p in one.predictions) == pytest.approx(1)


def test_invalid_arguments_raise_usage_error_before_a_model_loads(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.models.registry.load", never)
    (tmp_path / "empty").mkdir()
    for paths, labels, options in (
        ([image_folder], ["a"], {}),
        ([image_folder], ["a", "b"], {"templates": ["a photo"]}),
        ([image_folder], ["a", "b"], {"top": 0}),
        ([image_folder], ["a", "b"], {"threshold": float("nan")}),
        ([tmp_path / "gone"], ["a", "b"], {}),
        ([tmp_path / "empty"], ["a", "b"], {}),
        ([], ["a", "b"], {}),
        ("photos", ["a", "b"], {}),
    ):
        with pytest.raises(UsageError):
            classify_images(paths, labels, **options)


def test_a_collection_is_classified_from_its_vectors_like_its_files(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["a red wall", "grass"]
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(image_folder)
        monkeypatch.setattr(
            PocketEncoder, "encode_images", lambda *_: pytest.fail("an image was decoded")
        )
        found = index.classify(labels, top=1)
        monkeypatch.undo()
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
        files = classify_images([image_folder], labels, model="pocket", top=1).images
        assert [one.record.path for one in found] == [one.record.path for one in files]
        assert [one.label for one in found] == [one.label for one in files]
        for stored, fresh in zip(found, files, strict=True):
            assert stored.predictions[0].probability == pytest.approx(
                fresh.predictions[0].probability, abs=0.01
            )


def test_known_objects_are_classified_by_their_names(shared_data: Path) -> None:
    labels = ["pizza", "motorbike", "panda", "soccer ball", "stop sign"]
    folders = ["pizza", "Motorbikes", "panda", "soccer_ball", "stop_sign"]
    paths = [p for f in folders for p in sorted((shared_data / "objects" / f).iterdir())[:6]]
    found = classify_images(paths, labels, model="pocket")
    truth = dict(zip(folders, labels, strict=True))
    right = [one.label == truth[one.record.path.parent.name] for one in found.images]
    assert np.mean(right) > 0.85  # chance is 0.2


def test_each_model_family_has_its_logit_scale(tmp_path: Path) -> None:
    clip = checkpoints.save_open_clip(
        tmp_path / "clip", checkpoints.vit_b_32(), checkpoints.CLIP_PREPROCESSING
    )
    align = checkpoints.save_align(tmp_path / "align")
    # As they are initialised: CLIP with 1 / 0.07, ALIGN with a temperature of 1.
    assert load(f"local-dir:{clip}", Runtime(device="cpu")).logit_scale == pytest.approx(
        1 / 0.07, rel=1e-3
    )
    assert load(f"align:{align}", Runtime(device="cpu")).logit_scale == pytest.approx(1)
    assert 1 < PocketEncoder().logit_scale < 100


def test_an_image_of_extreme_aspect_ratio_is_classified(tmp_path: Path) -> None:
    draw(tmp_path / "wide.png", size=(500, 10))
    [one] = classify_images([tmp_path], ["red", "blue"], model="pocket").images
    assert one.label == "red"
