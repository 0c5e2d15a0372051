"""The typographic attack test, with a fake encoder that cannot read."""

from pathlib import Path

import pytest

from clipsearch.evaluation import evaluate_textness
from clipsearch.textness import TextRenderer
from tests.helpers.fakes import ColorEncoder, draw

COLORS = ("red", "green", "blue")


def test_written_words_and_objects_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, color in enumerate(COLORS * 8):
        draw(tmp_path / color / f"{number}.png", color, size=(200 + number, 200))
    found = evaluate_textness(tmp_path, model=ColorEncoder(), writer=TextRenderer(fonts=()))
    assert dict(found.counts) == {"names": 3, "images": 12, "written": 30}
    # The fake encoder only measures color: objects come first, and no word ranks above them.
    assert "does not separate images with text" in caplog.text
    assert found.measure("textness 0", "rank of the first, median").value == 1
    assert found.measure("textness 0", "the same without images of words").value == 1
    assert found.measure("classified by the bare names", "right without words").value == 1
    assert found.measure("classified by the bare names", "as the word").value == 0
