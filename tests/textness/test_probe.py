"""A textness probe: its scores, its model and its file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.textness import TextnessProbe
from tests.helpers.synthetic_embeddings import MODEL, SyntheticEmbeddings


def test_a_probe_of_another_model_raises_model_mismatch_error(probe: TextnessProbe) -> None:
    probe.check_model(replace(MODEL, precision="bfloat16"))
    for other in (replace(MODEL, weights="w1"), replace(MODEL, preprocessing="other")):
        with pytest.raises(ModelMismatchError, match="clipsearch textness fit"):
            probe.check_model(other)


def test_a_saved_probe_loads_bit_for_bit(probe: TextnessProbe, tmp_path: Path) -> None:
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
def test_an_invalid_file_raises_an_error_with_its_name(
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


def test_scores_are_probabilities() -> None:
    world = SyntheticEmbeddings(text=(0.02, 0.15))
    probe = world.fit(500)
    scores = [probe.score(world.images(4_000, text=text)) for text in (True, False)]
    for low in (0.1, 0.3, 0.5, 0.7):
        among = [int(((s >= low) & (s < low + 0.2)).sum()) for s in scores]
        assert among[0] / sum(among) == pytest.approx(low + 0.1, abs=0.15)
