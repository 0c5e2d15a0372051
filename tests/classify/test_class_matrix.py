"""The class matrix: prompts, probabilities and the cache."""

from pathlib import Path

import numpy as np
import pytest

from clipsearch.classify import (
    TEMPLATES,
    ClassMatrix,
)
from clipsearch.classify.class_matrix import CACHE, build_class_matrix, embed_labels
from clipsearch.models.base import Encoder
from tests.helpers.fakes import ColorEncoder

AWKWARD = ["ねこ", "犬 と 人", "a  dog ", "🐕‍🦺", "50% {x}", 'say "hi" \\', "Łódź", "-v"]


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
def test_labels_are_passed_to_the_model_and_returned_unchanged(label: str) -> None:
    seen: list[str] = []

    class Listening(ColorEncoder):
        def encode_texts(self, texts):  # type: ignore[no-untyped-def]
            seen.extend(texts)
            return super().encode_texts(texts)

    classes = matrix(Listening(), label, "other", templates=("a photo of {}!",))
    assert seen[0] == f"a photo of {label}!"
    assert classes.labels == (label, "other")


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


def test_a_damaged_cache_file_is_recomputed(encoder: ColorEncoder) -> None:
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


def test_classification_works_without_a_writable_cache(
    encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    assert matrix(encoder, "red", "green").labels == ("red", "green")
