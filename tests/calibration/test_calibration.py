"""Calibrations: p is near 1 for what a text names, near 0 for all else, and can be stored."""

import numpy as np
import pytest

from clipsearch.calibration import Calibration
from clipsearch.calibration.calibration import CalibrationFormatError
from clipsearch.calibration.fit import adapt_calibration
from clipsearch.calibration.moments import Moments
from tests.helpers.calibrations import IDENTITY, World, make_world, quick_fit

SEEN, UNSEEN = range(40), range(40, 60)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def calibration(world: World) -> Calibration:
    with pytest.MonkeyPatch.context() as patch:
        return quick_fit(world, SEEN, patch)


def p_of(calibration: Calibration, world: World, thing: int, rows: np.ndarray) -> np.ndarray:
    query, images = world.texts[thing], world.images[rows]
    return calibration.probabilities(query, images, images @ query)


def test_p_separates_what_is_there_for_things_that_the_fit_did_not_see(
    calibration: Calibration, world: World
) -> None:
    rows = np.arange(len(world.images))
    for thing in UNSEEN:
        p = p_of(calibration, world, thing, rows)
        relevant = world.shown == thing
        assert p[relevant].mean() > 3 * p[~relevant].mean()
        assert ((p >= 0) & (p <= 1)).all()


def test_an_absent_thing_has_no_probable_hit(calibration: Calibration, world: World) -> None:
    found = [
        (p_of(calibration, world, thing, np.flatnonzero(world.shown != thing)) > 0.5).sum()
        for thing in UNSEEN
    ]
    assert np.mean(found) < 2


def test_p_of_a_hit_does_not_depend_on_the_other_hits(
    calibration: Calibration, world: World
) -> None:
    query = world.texts[0]
    sample = world.images @ query
    alone = calibration.probabilities(query, world.images[:1], sample)
    among = calibration.probabilities(query, world.images, sample)
    assert alone[0] == pytest.approx(among[0], abs=1e-3)
    assert calibration.probabilities(query, world.images[:0], sample).shape == (0,)


def test_a_stored_calibration_gives_the_same(calibration: Calibration, world: World) -> None:
    query = world.texts[0]
    expected = calibration.probabilities(query, world.images, world.images @ query)
    stored = Calibration.from_text(calibration.to_text())
    assert (stored.model, stored.source, stored.bank.words) == (
        calibration.model,
        calibration.source,
        calibration.bank.words,
    )
    found = stored.probabilities(query, world.images, world.images @ query)
    assert found == pytest.approx(expected, abs=0.05)  # the texts are rounded to int8


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive at all", b"\x00" * 99])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CalibrationFormatError):
        Calibration.from_bytes(data)


def test_a_cut_file_is_refused(calibration: Calibration) -> None:
    data = calibration.to_bytes()
    for length in (10, len(data) // 2, len(data) - 10):
        with pytest.raises(CalibrationFormatError):
            Calibration.from_bytes(data[:length])


def test_an_adapted_calibration_suits_another_model(calibration: Calibration, world: World) -> None:
    """The other model is the same, in turned coordinates: that must not matter."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(32, 32)))
    turn = turn.astype(np.float32)
    seen = np.isin(world.shown, SEEN)
    adapted = adapt_calibration(
        calibration, IDENTITY, calibration.bank.texts @ turn, world.images[seen] @ turn, "adapted"
    )
    query = world.texts[50]
    sample = world.images @ query
    found = adapted.probabilities(query @ turn, world.images @ turn, sample)
    expected = calibration.probabilities(query, world.images, sample)
    assert found == pytest.approx(expected, abs=0.02)


def test_moments_are_those_of_the_vectors() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(500, 16)).astype(np.float32) @ draw.normal(size=(16, 16))
    directions = draw.normal(size=(3, 16)).astype(np.float32)
    mean, deviation = Moments.of(vectors.astype(np.float32)).along(directions)
    products = vectors @ directions.T
    assert mean == pytest.approx(products.mean(axis=0), abs=1e-3)
    assert deviation == pytest.approx(products.std(axis=0), rel=0.01)
