"""Zero-shot classification: labels, templates, probabilities and the cache of class matrices."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch import Index, classify_images
from clipsearch.classify import (
    TEMPLATES,
    ClassMatrix,
    check_labels,
    read_labels,
    resolve_templates,
)
from clipsearch.classify.class_matrix import CACHE, build_class_matrix, embed_labels
from clipsearch.classify.predictions import Prediction, classify_rows, softmax
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.helpers import checkpoints
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import row

AWKWARD = ["ねこ", "犬 と 人", "a  dog ", "🐕‍🦺", "50% {x}", 'say "hi" \\', "Łódź", "-v"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))


def matrix(
    encoder: ColorEncoder, *labels: str, templates: tuple[str, ...] = ("{}",)
) -> ClassMatrix:
    return build_class_matrix(labels, templates, model=encoder.identity, encoder=lambda: encoder)


def never() -> Encoder:
    raise AssertionError("no model is needed")


def test_a_probability_is_the_softmax_of_the_scaled_cosines(encoder: ColorEncoder) -> None:
    classes = matrix(encoder, "red", "green", "blue")
    vectors = np.array([[1, 0, 0, 0], [0.6, 0.8, 0, 0]], dtype=np.float32)
    by_hand = np.exp(encoder.logit_scale * (vectors @ classes.vectors.T))
    expected = by_hand / by_hand.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classes.probabilities(vectors), expected, rtol=1e-5)


@given(
    st.lists(
        st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=5
    )
)
def test_softmax_never_overflows_and_adds_up_to_one(rows: list[list[float]]) -> None:
    found = softmax(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    best = np.take_along_axis(found, np.argmax(rows, axis=1)[:, None], axis=1)
    assert np.all(best >= found.max(axis=1, keepdims=True) - 1e-6)


def test_predictions_are_sorted_cut_and_none_of_these_below_the_threshold(
    encoder: ColorEncoder,
) -> None:
    classes = matrix(encoder, "red", "green", "blue")
    rows = [row("/a.jpg", (1, 0, 0, 0)), row("/b.jpg", (1, 1, 0, 0))]
    sure, unsure = classify_rows(rows, classes, top=2, threshold=0.9)
    assert sure.label == "red"
    assert unsure.label is None
    assert [p.label for p in unsure.predictions] == ["red", "green"]  # equal: the first one first
    assert sure.predictions[0] == Prediction("red", sure.predictions[0].probability)
    assert sure.predictions[0].probability == pytest.approx(1, abs=0.01)
    whole = next(classify_rows(rows, classes))
    assert sum(p.probability for p in whole.predictions) == pytest.approx(1)
    assert list(classify_rows([], classes)) == []


def test_prompts_are_averaged_before_the_average_gets_length_one(encoder: ColorEncoder) -> None:
    templates = ("{}", "a {} wall", "{} and blue and blue and blue")
    [found] = embed_labels(["red"], templates, encoder)
    raw = encoder.encode_texts([t.replace("{}", "red") for t in templates]).astype(np.float64)
    units = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    average = units.mean(axis=0)
    np.testing.assert_allclose(found, average / np.linalg.norm(average), atol=1e-6)


def test_every_label_is_embedded_in_every_template_whatever_the_batches(
    encoder: ColorEncoder,
) -> None:
    labels = [f"red {n}" for n in range(70)] + ["green"]
    found = embed_labels(labels, TEMPLATES["contexts"], encoder)
    assert found.shape == (71, 4)
    assert encoder.embedded_texts == 71 * 80
    np.testing.assert_allclose(found[:70], np.tile(found[0], (70, 1)))
    assert found[70].argmax() == 1


@pytest.mark.parametrize("label", AWKWARD)
def test_labels_reach_the_model_and_come_back_letter_by_letter(label: str) -> None:
    seen: list[str] = []

    class Listening(ColorEncoder):
        def encode_texts(self, texts):  # type: ignore[no-untyped-def]
            seen.extend(texts)
            return super().encode_texts(texts)

    classes = matrix(Listening(), label, "other", templates=("a photo of {}!",))
    assert seen[0] == f"a photo of {label}!"
    assert classes.labels == (label, "other")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "no labels"),
        (["a", ""], "empty"),
        (["a", "\u3000 "], "empty"),
        (["a", "b", "a"], "given twice: 'a'"),
        (["a"], "is the only label"),
        (["a", "b\nc"], "control"),
        (["a", "\udcff"], "invalid Unicode"),
        (["a", "x" * 2000], "longer than"),
        ("dog", "a list"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_labels(labels)


def test_a_labels_file_is_lines_of_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffねこ\r\n\r\n  hot dog \n🐕\u2028x\n".encode())
    assert read_labels(path) == ["ねこ", "hot dog", "🐕\u2028x"]
    path.write_bytes("ねこ".encode("shift_jis"))
    with pytest.raises(UsageError, match="UTF-8"):
        read_labels(path)
    path.write_text("\n \n")
    with pytest.raises(UsageError, match="holds no labels"):
        read_labels(path)
    with pytest.raises(UsageError, match=r"none\.txt cannot be read"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path)


def test_templates_are_own_ones_and_sets_each_once() -> None:
    assert resolve_templates(["plain", "a {}", "{}"]) == ("{}", "a {}")
    assert resolve_templates("plain") == ("{}",)
    assert len(TEMPLATES["contexts"]) == len(set(TEMPLATES["contexts"])) == 80
    assert all("{}" in template for each in TEMPLATES.values() for template in each)
    for wrong in (["a photo"], []):
        with pytest.raises(UsageError, match=r"\{\}"):
            resolve_templates(wrong)


def test_a_class_matrix_is_computed_once_for_a_model_labels_and_templates(
    encoder: ColorEncoder,
) -> None:
    first = matrix(encoder, "red", "ねこ")
    again = build_class_matrix(["red", "ねこ"], ["{}"], model=encoder.identity, encoder=never)
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert (again.labels, again.scale) == (("red", "ねこ"), encoder.logit_scale)
    assert encoder.embedded_texts == 2

    matrix(encoder, "ねこ", "red")  # another order is another matrix
    matrix(encoder, "red", "ねこ", templates=("a {}",))
    assert encoder.embedded_texts == 6
    other = ColorEncoder(weights="another")
    matrix(other, "red", "ねこ")
    assert other.embedded_texts == 2


def test_a_damaged_cache_is_computed_again(encoder: ColorEncoder) -> None:
    first = matrix(encoder, "red", "green")
    [path] = CACHE.folder.iterdir()
    whole = path.read_bytes()
    for damage in (b"", b"nonsense", whole[:-30], whole[:100] + b"\0" * 50 + whole[150:]):
        path.write_bytes(damage)
        found = matrix(encoder, "red", "green")
        np.testing.assert_allclose(found.vectors, first.vectors)
    with path.open("wb") as file:
        np.savez(file, vectors=np.full((2, 4), np.nan, np.float32), scale=10.0)
    np.testing.assert_array_equal(matrix(encoder, "red", "green").vectors, first.vectors)
    with path.open("wb") as file:  # a pickle is never opened
        np.savez(file, vectors=np.array([object()]), scale=10.0, allow_pickle=True)
    np.testing.assert_array_equal(matrix(encoder, "red", "green").vectors, first.vectors)
    assert [p.name for p in CACHE.folder.iterdir()] == [path.name]  # no temporary files


def test_without_a_place_for_the_cache_it_works_all_the_same(
    encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    assert matrix(encoder, "red", "green").labels == ("red", "green")


def test_files_are_classified_and_bad_ones_reported(photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    labels = ["a red square", "a green square", "a blue square"]
    found = classify_images([photos], labels, model="pocket", templates=["plain"])
    assert [one.record.path.name for one in found.images] == ["blue.png", "green.png", "red.png"]
    assert [failure.path.name for failure in found.failed] == ["broken.jpg"]
    for one in found.images:
        assert {p.label for p in one.predictions} == set(labels)
        assert sum(p.probability for p in one.predictions) == pytest.approx(1)


def test_what_cannot_be_classified_is_an_error_before_a_model_is_loaded(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.models.registry.load", never)
    (tmp_path / "empty").mkdir()
    for paths, labels, options in (
        ([photos], ["a"], {}),
        ([photos], ["a", "b"], {"templates": ["a photo"]}),
        ([photos], ["a", "b"], {"top": 0}),
        ([photos], ["a", "b"], {"threshold": float("nan")}),
        ([tmp_path / "gone"], ["a", "b"], {}),
        ([tmp_path / "empty"], ["a", "b"], {}),
        ([], ["a", "b"], {}),
        ("photos", ["a", "b"], {}),
    ):
        with pytest.raises(UsageError):
            classify_images(paths, labels, **options)


def test_a_collection_is_classified_from_its_vectors_as_its_files_are(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["a red wall", "grass"]
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(photos)
        monkeypatch.setattr(
            PocketEncoder, "encode_images", lambda *_: pytest.fail("a picture was decoded")
        )
        found = index.classify(labels, top=1)
        monkeypatch.undo()
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
        files = classify_images([photos], labels, model="pocket", top=1).images
        assert [one.record.path for one in found] == [one.record.path for one in files]
        assert [one.label for one in found] == [one.label for one in files]
        for stored, fresh in zip(found, files, strict=True):
            assert stored.predictions[0].probability == pytest.approx(
                fresh.predictions[0].probability, abs=0.01
            )


def test_known_objects_are_told_apart_by_their_names(shared_data: Path) -> None:
    labels = ["pizza", "motorbike", "panda", "soccer ball", "stop sign"]
    folders = ["pizza", "Motorbikes", "panda", "soccer_ball", "stop_sign"]
    paths = [p for f in folders for p in sorted((shared_data / "objects" / f).iterdir())[:6]]
    found = classify_images(paths, labels, model="pocket")
    truth = dict(zip(folders, labels, strict=True))
    right = [one.label == truth[one.record.path.parent.name] for one in found.images]
    assert np.mean(right) > 0.85  # chance is 0.2


def test_each_family_knows_its_own_scale(tmp_path: Path) -> None:
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


def test_drawn_pictures_can_be_of_any_size(tmp_path: Path) -> None:
    draw(tmp_path / "wide.png", size=(500, 10))
    [one] = classify_images([tmp_path], ["red", "blue"], model="pocket").images
    assert one.label == "red"
