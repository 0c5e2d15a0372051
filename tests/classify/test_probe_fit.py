"""Fitting a linear probe to class folders, and applying it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clipsearch import Index
from clipsearch.classify.probe_apply import apply_linear_probe
from clipsearch.classify.probe_fit import fit_linear_probe
from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.models.base import Encoder
from tests.helpers.fakes import draw


def test_a_probe_is_fitted_to_folders_and_applied_to_files_and_collections(
    color_folders: Path, tmp_path: Path
) -> None:
    (color_folders / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    fitted = fit_linear_probe(color_folders, model="pocket", shots=(1, 2), seeds=2)
    assert [failure.path.name for failure in fitted.failed] == ["broken.png"]
    assert fitted.curve is not None
    assert fitted.curve.zero_shot is not None
    assert fitted.probe.labels == ("blue", "green", "red")
    assert fitted.probe.images == 15
    assert fitted.probe.accuracy == fitted.curve.points[-1].mean > 0.6
    fitted.probe.save(tmp_path / "colors.probe")

    new = draw(tmp_path / "new" / "red.jpg", (225, 25, 25), size=(50, 40))
    (tmp_path / "new" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    found = apply_linear_probe(tmp_path / "colors.probe", [tmp_path / "new"], top=1)
    assert [(one.record.path, one.label) for one in found.images] == [(new, "red")]
    assert [failure.path.name for failure in found.failed] == ["bad.jpg"]

    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(color_folders / "green")
        assert {one.label for one in index.classify(fitted.probe)} == {"green"}
        assert index.model is not None
        other = replace(fitted.probe, model=replace(index.model, preprocessing="another"))
        with pytest.raises(ModelMismatchError, match="other weights or preprocessing"):
            index.classify(other)
        with pytest.raises(ModelMismatchError, match="clipsearch probe fit"):
            apply_linear_probe(other, [new])


def test_unusable_folders_raise_usage_error_before_a_model_loads(
    color_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> Encoder:
        raise AssertionError("no model is needed")

    monkeypatch.setattr("clipsearch.models.registry.load", never)
    for folder, message in (
        (tmp_path / "gone", "no such folder"),
        (color_folders / "red", "there is none"),
        (color_folders / "red" / "0.png", "no such folder"),
    ):
        with pytest.raises(UsageError, match=message):
            fit_linear_probe(folder, model="pocket")
    draw(tmp_path / "one" / "cats" / "a.png")
    with pytest.raises(UsageError, match="only 'cats'"):
        fit_linear_probe(tmp_path / "one", model="pocket")


def test_identical_files_in_two_class_folders_are_reported(
    color_folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(color_folders / "blue" / "0.png", color_folders / "red" / "copy.png")
    shutil.copy(color_folders / "blue" / "0.png", color_folders / "blue" / "copy.png")
    shutil.copy(color_folders / "green" / "0.png", color_folders / "green" / "copy.png")
    fitted = fit_linear_probe(color_folders, model="pocket", seeds=0)
    [conflict] = fitted.conflicts
    assert {path.relative_to(color_folders.resolve()).as_posix() for path in conflict} == {
        "blue/0.png",
        "blue/copy.png",
        "red/copy.png",
    }
    assert "1 images are in several class folders" in caplog.text


def test_a_class_of_one_readable_image_is_named(color_folders: Path) -> None:
    draw(color_folders / "gray" / "a.png", "gray")
    (color_folders / "gray" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError, match=r"'gray'.*b\.png"):
        fit_linear_probe(color_folders, model="pocket")
