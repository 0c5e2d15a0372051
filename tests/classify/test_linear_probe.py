"""A linear probe and its file."""

import json
from pathlib import Path

import numpy as np
import pytest

from clipsearch.classify import LinearProbe
from clipsearch.errors import UsageError
from tests.helpers.labeled_vectors import clusters, probe_of


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_fit_is_a_softmax_over_all_classes(classes: int) -> None:
    features, targets = clusters((20,) * classes)
    probe = probe_of(features, targets, *map(str, range(classes)))
    assert probe.weights.shape == (classes, 8)
    assert probe.weights.dtype == probe.bias.dtype == np.float32
    chances = probe.probabilities(features)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert np.mean(chances.argmax(axis=1) == targets) > 0.9


def test_a_probe_saves_and_loads(tmp_path: Path) -> None:
    probe = probe_of(*clusters((9, 9)), "ねこ", "犬 🐕")
    probe.save(tmp_path / "p.probe")
    found = LinearProbe.load(tmp_path / "p.probe")
    assert (found.labels, found.model, found.images) == (probe.labels, probe.model, 18)
    np.testing.assert_array_equal(found.weights, probe.weights)
    np.testing.assert_array_equal(found.bias, probe.bias)
    assert [p.name for p in tmp_path.iterdir()] == ["p.probe"]
    with pytest.raises(UsageError, match="cannot be written"):
        probe.save(tmp_path / "none" / "p.probe")


def test_an_invalid_probe_file_raises_usage_error_and_runs_no_code(tmp_path: Path) -> None:
    probe, path = probe_of(*clusters((9, 9)), "a", "b"), tmp_path / "p"
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
