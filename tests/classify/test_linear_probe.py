"""Linear probes: fitting, the curve, the file, and who may use it."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch import Index
from clipsearch.classify import LearningCurve, LearningCurvePoint, LinearProbe
from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.classify.learning_curve import confidence_interval, measure_learning_curve
from clipsearch.classify.probe_apply import apply_linear_probe
from clipsearch.classify.probe_fit import fit_linear_probe
from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.logistic_regression import Targets, choose_inverse_penalty, fit_multinomial
from clipsearch.models.base import Encoder
from clipsearch.render.learning_curve import write_curve
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers.fakes import draw
from tests.helpers.records import MODEL

COLORS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230)}


def clouds(
    sizes: tuple[int, ...], *, spread: float = 0.3, dim: int = 8, seed: int = 0
) -> tuple[Vectors, Targets]:
    """Unit vectors around one axis for each class."""
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    return normalize(
        np.eye(dim)[targets] + spread * random.normal(size=(len(targets), dim))
    ), targets


def probe_of(features: Vectors, targets: Targets, *labels: str) -> LinearProbe:
    weights, bias = fit_multinomial(features, targets, inverse_penalty=10)
    model = replace(MODEL, dim=features.shape[1])
    return LinearProbe(labels, weights, bias, model, len(features), 0.9)


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """Three class folders of five pictures each."""
    for name, colour in COLORS.items():
        for n in range(5):
            shade = (colour[0] - 3 * n, colour[1], colour[2] - 2 * n)
            draw(tmp_path / "classes" / name / f"{n}.png", shade, size=(32 + n, 32))
    return tmp_path / "classes"


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_fit_is_a_softmax_over_all_classes(classes: int) -> None:
    features, targets = clouds((20,) * classes)
    probe = probe_of(features, targets, *map(str, range(classes)))
    assert probe.weights.shape == (classes, 8)
    assert probe.weights.dtype == probe.bias.dtype == np.float32
    chances = probe.probabilities(features)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert np.mean(chances.argmax(axis=1) == targets) > 0.9


def test_a_fit_is_what_scikit_learn_finds_on_the_scaled_features() -> None:
    from sklearn.linear_model import LogisticRegression

    features, targets = clouds((15, 25, 10))
    centred = features - features.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=1).mean())
    naive = LogisticRegression(C=3, max_iter=5000, tol=1e-8).fit(scaled, targets)
    weights, bias = fit_multinomial(features, targets, inverse_penalty=3)
    ours = probe_of(features, targets, "a", "b", "c")
    ours = replace(ours, weights=weights, bias=bias)
    np.testing.assert_allclose(ours.probabilities(features), naive.predict_proba(scaled), atol=5e-3)


def test_equal_features_and_wide_ones_can_be_fitted() -> None:
    same = np.tile(np.eye(4, dtype=np.float32)[0], (4, 1))
    weights, bias = fit_multinomial(same, np.array([0, 0, 1, 1]), inverse_penalty=1)
    assert np.all(np.isfinite(weights))
    assert np.all(np.isfinite(bias))


def test_the_penalty_is_chosen_by_held_out_rows() -> None:
    clean, targets = clouds((30, 30), spread=0.1)
    noisy, _ = clouds((30, 30), spread=2.0)
    assert choose_inverse_penalty(clean, targets, seed=0) > choose_inverse_penalty(
        noisy, targets, seed=0
    )
    one_each = np.array([0, 1])
    assert choose_inverse_penalty(clean[[0, 30]], one_each, seed=0) > 0  # nothing to hold out


def test_the_interval_of_a_mean_is_students() -> None:
    low, high = confidence_interval([0.5, 0.6, 0.7])
    reach = 4.302653 * 0.1 / 3**0.5  # t of 0.975 with 2 degrees of freedom, by the table
    assert low == pytest.approx(0.6 - reach, abs=1e-5)
    assert high == pytest.approx(0.6 + reach, abs=1e-5)
    assert np.isnan(confidence_interval([0.5])).all()


def test_the_curve_rises_and_knows_its_shots() -> None:
    features, targets = clouds((40, 40, 12), spread=0.9, dim=16)
    curve = measure_learning_curve(features, targets, shots=(1, 4, 16, 64), seeds=4)
    assert [point.shots for point in curve.points] == [1, 4, 16, None]  # no class has 64
    assert [point.examples for point in curve.points] == [3, 12, 40, 64]  # 16 + 16 + all 8
    assert curve.tested == 12 + 12 + 4
    first, *_, last = curve.points
    assert first.mean < last.mean
    assert all(point.low <= point.mean <= point.high for point in curve.points)
    assert curve.zero_shot is None
    assert curve.zero_shot_equivalent is None
    again = measure_learning_curve(features, targets, shots=(1, 4, 16, 64), seeds=4)
    assert again == curve


def test_zero_shot_is_measured_on_the_same_pictures_and_converted_into_examples() -> None:
    def point(shots: int | None, mean: float) -> LearningCurvePoint:
        return LearningCurvePoint(shots, 1, mean, mean, mean, 1)

    curve = LearningCurve((point(1, 0.4), point(4, 0.8), point(None, 0.9)), point(0, 0.6), 10, 1)
    assert curve.zero_shot_equivalent == pytest.approx(
        2
    )  # half way between 1 and 4 on the logarithm
    for outside in (0.3, 0.85, 1.0):
        assert replace(curve, zero_shot=point(0, outside)).zero_shot_equivalent is None

    class Always:
        labels = ("a", "b")

        def probabilities(self, vectors: Vectors) -> Vectors:
            return np.tile(np.array([1, 0], dtype=np.float32), (len(vectors), 1))

    features, targets = clouds((10, 30))
    found = measure_learning_curve(features, targets, seeds=2, zero_shot=Always())
    assert found.zero_shot is not None
    assert found.zero_shot.mean == pytest.approx(3 / 12)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(2, 9), min_size=2, max_size=5))
def test_every_class_is_learnt_and_tested_however_few_pictures_it_has(sizes: list[int]) -> None:
    features, targets = clouds(tuple(sizes), spread=0.05)
    curve = measure_learning_curve(features, targets, shots=(1, 2), seeds=1)
    assert curve.points[-1].examples + curve.tested == sum(sizes)
    assert curve.points[-1].mean > 0.5


def test_wrong_numbers_are_refused() -> None:
    features, targets = clouds((1, 5))
    with pytest.raises(UsageError, match="two images"):
        measure_learning_curve(features, targets)
    for options in ({"shots": (0,)}, {"seeds": 0}):
        with pytest.raises(UsageError, match="1"):
            measure_learning_curve(*clouds((5, 5)), **options)


def test_a_probe_survives_its_file(tmp_path: Path) -> None:
    probe = probe_of(*clouds((9, 9)), "ねこ", "犬 🐕")
    probe.save(tmp_path / "p.probe")
    found = LinearProbe.load(tmp_path / "p.probe")
    assert (found.labels, found.model, found.images) == (probe.labels, probe.model, 18)
    np.testing.assert_array_equal(found.weights, probe.weights)
    np.testing.assert_array_equal(found.bias, probe.bias)
    assert [p.name for p in tmp_path.iterdir()] == ["p.probe"]
    with pytest.raises(UsageError, match="cannot be written"):
        probe.save(tmp_path / "none" / "p.probe")


def test_what_is_no_probe_is_refused_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    probe, path = probe_of(*clouds((9, 9)), "a", "b"), tmp_path / "p"
    probe.save(path)
    whole = path.read_bytes()
    facts = {"format": "clipsearch linear probe 2", "labels": ["a"], "model": {}, "images": 1}
    arrays = {"weights": probe.weights, "bias": probe.bias}
    bad = []
    for content in (b"", b"text", whole[:-40], whole[: len(whole) // 2]):
        path.write_bytes(content)
        bad.append(path.read_bytes())
    for values in (
        arrays,
        {**arrays, "facts": np.array(json.dumps(facts))},
        {**arrays, "facts": np.array([object()])},
        {**arrays, "facts": np.array("[]")},
        {"facts": np.array("{}")},
    ):
        with path.open("wb") as file:
            np.savez(file, **values)
        bad.append(path.read_bytes())
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(UsageError, match="not a probe"):
            LinearProbe.load(path)
    with pytest.raises(UsageError, match="cannot be read: no such file"):
        LinearProbe.load(tmp_path / "gone")
    with pytest.raises(UsageError, match="cannot be read: is a directory"):
        LinearProbe.load(tmp_path)


def test_folders_are_classes(coloured: Path, caplog: pytest.LogCaptureFixture) -> None:
    (coloured / ".hidden").mkdir()
    draw(coloured / ".hidden" / "x.png")
    (coloured / "empty").mkdir()
    draw(coloured / "blue" / "more" / "deep.png", "blue")
    draw(coloured / "loose.png")
    with caplog.at_level(logging.WARNING, logger="clipsearch"):
        found = find_class_folders(coloured)
    assert {name: len(files) for name, files in found.items()} == {"blue": 6, "green": 5, "red": 5}
    assert "empty: it holds no images" in caplog.text
    assert readable_name("joshua_tree") == "joshua tree"
    assert readable_name("_") == "_"


def test_a_probe_is_learnt_from_folders_and_applied_to_files_and_collections(
    coloured: Path, tmp_path: Path
) -> None:
    (coloured / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    fitted = fit_linear_probe(coloured, model="pocket", shots=(1, 2), seeds=2)
    assert [failure.path.name for failure in fitted.failed] == ["broken.png"]
    assert fitted.curve is not None
    assert fitted.curve.zero_shot is not None
    assert fitted.probe.labels == ("blue", "green", "red")
    assert fitted.probe.images == 15
    assert fitted.probe.accuracy == fitted.curve.points[-1].mean > 0.6
    fitted.probe.save(tmp_path / "colours.probe")

    new = draw(tmp_path / "new" / "red.jpg", (225, 25, 25), size=(50, 40))
    (tmp_path / "new" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    found = apply_linear_probe(tmp_path / "colours.probe", [tmp_path / "new"], top=1)
    assert [(one.record.path, one.label) for one in found.images] == [(new, "red")]
    assert [failure.path.name for failure in found.failed] == ["bad.jpg"]

    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(coloured / "green")
        assert {one.label for one in index.classify(fitted.probe)} == {"green"}
        assert index.model is not None
        other = replace(fitted.probe, model=replace(index.model, preprocessing="another"))
        with pytest.raises(ModelMismatchError, match="other weights or preprocessing"):
            index.classify(other)
        with pytest.raises(ModelMismatchError, match="clipsearch probe fit"):
            apply_linear_probe(other, [new])


def test_folders_that_nothing_can_be_learnt_from_are_refused_before_a_model_loads(
    coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> Encoder:
        raise AssertionError("no model is needed")

    monkeypatch.setattr("clipsearch.models.registry.load", never)
    for folder, message in (
        (tmp_path / "gone", "no such folder"),
        (coloured / "red", "there is none"),
        (coloured / "red" / "0.png", "no such folder"),
    ):
        with pytest.raises(UsageError, match=message):
            fit_linear_probe(folder, model="pocket")
    draw(tmp_path / "one" / "cats" / "a.png")
    with pytest.raises(UsageError, match="only 'cats'"):
        fit_linear_probe(tmp_path / "one", model="pocket")


@pytest.mark.parametrize("link", ["file", "folder"])
def test_one_file_in_two_class_folders_is_an_error(coloured: Path, link: str) -> None:
    if link == "file":
        (coloured / "green" / "other.png").symlink_to(coloured / "blue" / "0.png")
        other = "green"
    else:
        (coloured / "cyan").symlink_to(coloured / "blue")
        other = "cyan"
    with pytest.raises(UsageError, match=rf"blue/0\.png is in two .*blue and .*/{other}: remove"):
        find_class_folders(coloured)


def test_identical_files_in_two_class_folders_are_reported(
    coloured: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(coloured / "blue" / "0.png", coloured / "red" / "copy.png")
    shutil.copy(coloured / "blue" / "0.png", coloured / "blue" / "copy.png")
    shutil.copy(coloured / "green" / "0.png", coloured / "green" / "copy.png")
    fitted = fit_linear_probe(coloured, model="pocket", seeds=0)
    [conflict] = fitted.conflicts
    assert {path.relative_to(coloured.resolve()).as_posix() for path in conflict} == {
        "blue/0.png",
        "blue/copy.png",
        "red/copy.png",
    }
    assert "1 images are in several class folders" in caplog.text


def test_a_class_of_one_readable_picture_is_named(coloured: Path) -> None:
    draw(coloured / "grey" / "a.png", "grey")
    (coloured / "grey" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError, match=r"'grey'.*b\.png"):
        fit_linear_probe(coloured, model="pocket")


def test_the_figure_shows_the_curve_and_the_zero_shot_point(tmp_path: Path) -> None:
    points = (
        LearningCurvePoint(1, 3, 0.4, 0.3, 0.5, 3),
        LearningCurvePoint(4, 12, 0.7, 0.6, 0.8, 3),
    )
    whole = LearningCurvePoint(None, 15, 0.75, float("nan"), float("nan"), 1)
    zero = LearningCurvePoint(0, 0, 0.5, 0.45, 0.55, 3)
    curve = LearningCurve((*points, whole), zero, 20, 1.0)
    write_curve(tmp_path / "c.png", curve, title="ねこ <&>")
    image = Image.open(tmp_path / "c.png")
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
    assert {(9, 105, 218), (188, 76, 0), (207, 227, 251)} <= colours
    write_curve(tmp_path / "c.svg", curve, title="ねこ <&>")
    text = (tmp_path / "c.svg").read_text("utf-8")
    assert "ねこ &lt;&amp;&gt;" in text
    assert "zero-shot" in text
    assert "nan" not in text
    write_curve(tmp_path / "one.svg", LearningCurve((whole,), None, 20, 1.0), title="one")
    for wrong in ("c.gif", "none/c.png"):
        with pytest.raises(UsageError, match=r"c\.(gif|png)"):
            write_curve(tmp_path / wrong, curve, title="x")
