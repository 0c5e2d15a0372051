"""The textness fit on vectors whose direction of text is known."""

import numpy as np
import pytest

from clipsearch.errors import ModelError, UsageError, VectorError
from clipsearch.textness import fit_vectors
from clipsearch.textness.fit import UNIT_Z
from tests.helpers.synthetic_embeddings import MODEL, SyntheticEmbeddings, accuracy


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_200_images_of_a_kind_recover_the_direction_of_text(spread: float, drift: float) -> None:
    world = SyntheticEmbeddings(spread=spread, drift=drift)
    bias = world.fit(200).bias
    cosine = float(bias @ world.direction / np.linalg.norm(bias))
    assert cosine >= 0.95


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_100_images_of_a_kind_do_nearly_as_well_as_2000(drift: float) -> None:
    world = SyntheticEmbeddings(drift=drift)
    assert accuracy(world.fit(100), world) >= accuracy(world.fit(2_000), world) - 0.03


def test_accuracy_and_auc_hold_for_new_images() -> None:
    world = SyntheticEmbeddings(text=(0.02, 0.2))
    probe = world.fit(200)
    assert accuracy(probe, world) == pytest.approx(probe.accuracy, abs=0.03)
    assert probe.auc > probe.accuracy
    assert (probe.with_text, probe.without_text) == (200, 200)


def test_the_same_seed_gives_the_same_probe(world: SyntheticEmbeddings) -> None:
    kinds = world.images(50, text=True), world.images(50, text=False)
    first, second = (fit_vectors(*kinds, MODEL, seed=7) for _ in range(2))
    assert first.bias.tobytes() == second.bias.tobytes()
    assert first.as_json() | {"created_at": ""} == second.as_json() | {"created_at": ""}


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.8])
def test_a_scale_means_the_same_deviations_for_any_spread_of_the_model(spread: float) -> None:
    world = SyntheticEmbeddings(spread=spread)
    bias = world.fit(300).bias
    plain, lettered = world.images(3_000, text=False), world.images(3_000, text=True)
    lifts = []
    for query in world.queries(20):
        deviation = (plain @ query).std()
        before = (lettered @ query).mean() - (plain @ query).mean()
        after = (lettered @ (query + bias)).mean() - (plain @ (query + bias)).mean()
        lifts.append((after - before) / deviation)
    assert np.median(lifts) == pytest.approx(UNIT_Z, rel=0.2)


def test_too_few_images_raise_usage_error(world: SyntheticEmbeddings) -> None:
    with pytest.raises(UsageError, match="9 images with text"):
        fit_vectors(world.images(9, text=True), world.images(50, text=False), MODEL)


def test_classes_without_a_difference_raise_model_error(world: SyntheticEmbeddings) -> None:
    with pytest.raises(ModelError, match="does not separate"):
        fit_vectors(world.images(100, text=False), world.images(100, text=False), MODEL)


def test_invalid_vectors_raise_vector_error(world: SyntheticEmbeddings) -> None:
    fine = world.images(20, text=True)
    for bad in (fine[:, :9], np.full_like(fine, np.nan), fine[0]):
        with pytest.raises(VectorError):
            fit_vectors(fine, bad, MODEL)
