"""The textness probe on vectors of which the truth is known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from clipsearch.errors import ModelError, ModelMismatchError, UsageError, VectorError
from clipsearch.logistic_regression import fit_binary
from clipsearch.models.base import ModelIdentity
from clipsearch.textness import TextnessProbe, fit_vectors, project_out, shift_query
from clipsearch.textness.direction import HeldOutDistances
from clipsearch.textness.fit import UNIT_Z
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

DIM = 256
MODEL = ModelIdentity(
    name="made-up", dim=DIM, weights="w0", preprocessing="none", precision="float64"
)


class World:
    """Pictures of content in a few directions, and text in one more that is known.

    `spread` is how far contents lie apart; `drift` moves the pictures with text along the first
    content, in deviations of it, as where screenshots show other things than photographs do. `text`
    is how far text moves a picture, the least and the most.
    """

    def __init__(
        self, *, spread: float = 0.5, drift: float = 0.0, text: tuple[float, float] = (0.2, 0.5)
    ) -> None:
        rng = np.random.default_rng(42)
        self.rng, self.drift, self.text = rng, drift, text
        self.direction, self.cone = normalize(rng.standard_normal((2, DIM)))
        weights = np.arange(1, 41) ** -0.5
        self.contents = normalize(rng.standard_normal((40, DIM)))
        self.sizes = spread * weights / np.linalg.norm(weights)

    def pictures(self, count: int, *, text: bool) -> Vectors:
        amounts = self.rng.standard_normal((count, 40)) * self.sizes
        amounts[:, 0] += self.drift * self.sizes[0] * text
        noise = 0.2 * self.rng.standard_normal((count, DIM)) / np.sqrt(DIM)
        much = text * self.rng.uniform(*self.text, (count, 1))
        return normalize(0.5 * self.cone + amounts @ self.contents + noise + much * self.direction)

    def queries(self, count: int) -> Vectors:
        return normalize(self.rng.standard_normal((count, 40)) @ self.contents)

    def fit(self, count: int) -> TextnessProbe:
        pictures = self.pictures(count, text=True), self.pictures(count, text=False)
        return fit_vectors(*pictures, MODEL, queries=self.queries(50))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def probe(world: World) -> TextnessProbe:
    return world.fit(200)


def accuracy(probe: TextnessProbe, world: World) -> float:
    right = probe.score(world.pictures(2_000, text=True)) > 0.5
    wrong = probe.score(world.pictures(2_000, text=False)) > 0.5
    return float(right.mean() + 1 - wrong.mean()) / 2


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_200_pictures_of_a_kind_recover_the_direction_of_text(spread: float, drift: float) -> None:
    world = World(spread=spread, drift=drift)
    bias = world.fit(200).bias
    cosine = float(bias @ world.direction / np.linalg.norm(bias))
    assert cosine >= 0.95


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_100_pictures_of_a_kind_do_nearly_as_well_as_2000(drift: float) -> None:
    world = World(drift=drift)
    assert accuracy(world.fit(100), world) >= accuracy(world.fit(2_000), world) - 0.03


def test_accuracy_and_auc_hold_for_pictures_that_nobody_has_seen() -> None:
    world = World(text=(0.02, 0.2))
    probe = world.fit(200)
    assert accuracy(probe, world) == pytest.approx(probe.accuracy, abs=0.03)
    assert probe.auc > probe.accuracy
    assert (probe.with_text, probe.without_text) == (200, 200)


def test_scores_are_probabilities() -> None:
    world = World(text=(0.02, 0.15))
    probe = world.fit(500)
    scores = [probe.score(world.pictures(4_000, text=text)) for text in (True, False)]
    for low in (0.1, 0.3, 0.5, 0.7):
        among = [int(((s >= low) & (s < low + 0.2)).sum()) for s in scores]
        assert among[0] / sum(among) == pytest.approx(low + 0.1, abs=0.15)


def test_the_same_seed_gives_the_same_probe(world: World) -> None:
    kinds = world.pictures(50, text=True), world.pictures(50, text=False)
    first, second = (fit_vectors(*kinds, MODEL, seed=7) for _ in range(2))
    assert first.bias.tobytes() == second.bias.tobytes()
    assert first.as_json() | {"created_at": ""} == second.as_json() | {"created_at": ""}


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.8])
def test_a_scale_means_as_many_deviations_whatever_the_spread_of_the_model(spread: float) -> None:
    world = World(spread=spread)
    bias = world.fit(300).bias
    plain, lettered = world.pictures(3_000, text=False), world.pictures(3_000, text=True)
    lifts = []
    for query in world.queries(20):
        deviation = (plain @ query).std()
        before = (lettered @ query).mean() - (plain @ query).mean()
        after = (lettered @ (query + bias)).mean() - (plain @ (query + bias)).mean()
        lifts.append((after - before) / deviation)
    assert np.median(lifts) == pytest.approx(UNIT_Z, rel=0.2)


def test_scale_0_changes_no_bit(world: World, probe: TextnessProbe) -> None:
    query = world.queries(1)[0]
    assert shift_query(query, probe.bias, 0).tobytes() == query.tobytes()
    assert shift_query(query, probe.bias, -0.0).tobytes() == query.tobytes()


@given(scale=st.floats(-10, 10), query=arrays(np.float32, 8, elements=st.floats(-1, 1, width=32)))
def test_a_shifted_query_is_the_normalized_sum(scale: float, query: Vectors) -> None:
    if np.linalg.norm(query) < 0.1:
        query = np.eye(8, dtype=np.float32)[0]
    query, bias = normalize(query), np.linspace(-0.2, 0.3, 8, dtype=np.float32)
    shifted = shift_query(query, bias, scale)
    assert shifted.dtype == np.float32
    assert np.linalg.norm(shifted) == pytest.approx(1, abs=1e-5)
    assert shifted == pytest.approx(normalize(query + scale * bias), abs=1e-5)


@pytest.mark.parametrize("scale", [1e308, -1e308])
def test_the_largest_scales_leave_the_bias_alone(probe: TextnessProbe, scale: float) -> None:
    shifted = shift_query(np.eye(len(probe.bias), dtype=np.float32)[0], probe.bias, scale)
    assert shifted == pytest.approx(np.sign(scale) * normalize(probe.bias), abs=1e-6)


def test_a_projected_query_says_nothing_of_text(world: World, probe: TextnessProbe) -> None:
    query = normalize(world.queries(1)[0] + probe.bias)
    rest = project_out(query, probe.bias)
    assert np.linalg.norm(rest) == pytest.approx(1, abs=1e-6)
    assert rest @ probe.bias == pytest.approx(0, abs=1e-6)
    assert project_out(rest, probe.bias) == pytest.approx(rest, abs=1e-6)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -float("inf")])
def test_a_scale_that_is_no_number_is_refused(probe: TextnessProbe, scale: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        shift_query(probe.bias, probe.bias, scale)


def test_a_bias_of_another_dimension_is_refused(probe: TextnessProbe) -> None:
    other = np.ones(7, dtype=np.float32)
    with pytest.raises(VectorError, match="different models"):
        shift_query(other, probe.bias, 1)
    with pytest.raises(VectorError, match="different models"):
        project_out(other, probe.bias)
    with pytest.raises(VectorError, match="different models"):
        probe.score(np.ones((3, 7), dtype=np.float32))


def test_a_probe_of_another_model_is_refused(probe: TextnessProbe) -> None:
    probe.check_model(replace(MODEL, precision="bfloat16"))
    for other in (replace(MODEL, weights="w1"), replace(MODEL, preprocessing="other")):
        with pytest.raises(ModelMismatchError, match="clipsearch textness fit"):
            probe.check_model(other)


def test_a_saved_probe_comes_back_exactly(probe: TextnessProbe, tmp_path: Path) -> None:
    probe.save(str(tmp_path / "probe.json"))
    again = TextnessProbe.load(str(tmp_path / "probe.json"))
    assert again.bias.tobytes() == probe.bias.tobytes()
    assert again.as_json() == probe.as_json()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"version": 1', '"version": 9'),
        lambda text: text.replace('"dim": 256', '"dim": 255'),
        lambda text: text.replace('"slope"', '"slop"'),
        lambda text: text.replace('"bias": "', '"bias": "AA'),
    ],
)
def test_a_broken_file_is_named(
    probe: TextnessProbe, tmp_path: Path, change: Callable[[str], str]
) -> None:
    path = tmp_path / "probe.json"
    probe.save(path)
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(UsageError, match="is not a textness file"):
        TextnessProbe.load(path)
    with pytest.raises(UsageError, match="no such file"):
        TextnessProbe.load(tmp_path / "missing.json")
    with pytest.raises(UsageError, match="no such file"):
        probe.save(tmp_path / "missing" / "probe.json")


def test_too_few_pictures_are_refused(world: World) -> None:
    with pytest.raises(UsageError, match="9 images with text"):
        fit_vectors(world.pictures(9, text=True), world.pictures(50, text=False), MODEL)


def test_a_model_that_sees_no_text_has_no_textness(world: World) -> None:
    with pytest.raises(ModelError, match="does not separate"):
        fit_vectors(world.pictures(100, text=False), world.pictures(100, text=False), MODEL)


def test_vectors_that_are_none_are_refused(world: World) -> None:
    fine = world.pictures(20, text=True)
    for bad in (fine[:, :9], np.full_like(fine, np.nan), fine[0]):
        with pytest.raises(VectorError):
            fit_vectors(fine, bad, MODEL)


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 20, 60) / 1.0, rng.integers(-5, 15, 70) / 1.0
    pairs = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    assert HeldOutDistances(a, b).auc() == pytest.approx(pairs)


def test_logistic_regression_ends_where_its_gradient_is_zero() -> None:
    rng = np.random.default_rng(0)
    rows, wanted = rng.standard_normal((80, 5)), rng.integers(0, 2, 80) / 1.0
    weights = np.full(80, 1 / 80)
    for penalty in (1e-4, 0.1, 10):
        solution, intercept = fit_binary(rows, wanted, weights, penalty=penalty)
        error = weights * (expit(rows @ solution + intercept) - wanted)
        assert rows.T @ error + penalty * solution == pytest.approx(0, abs=1e-6)
        assert error.sum() == pytest.approx(0, abs=1e-6)
