"""The figure of a learning curve."""

from pathlib import Path

import pytest
from PIL import Image

from clipsearch.classify import LearningCurve, LearningCurvePoint
from clipsearch.errors import UsageError
from clipsearch.render.charts import Text
from clipsearch.render.learning_curve_chart import _shapes, write_curve


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
    colors = {color for _, color in image.convert("RGB").getcolors(1 << 20) or []}
    assert {(9, 105, 218), (188, 76, 0), (207, 227, 251)} <= colors
    write_curve(tmp_path / "c.svg", curve, title="ねこ <&>")
    text = (tmp_path / "c.svg").read_text("utf-8")
    assert "ねこ &lt;&amp;&gt;" in text
    assert "zero-shot" in text
    assert "nan" not in text
    write_curve(tmp_path / "one.svg", LearningCurve((whole,), None, 20, 1.0), title="one")
    for wrong in ("c.gif", "none/c.png"):
        with pytest.raises(UsageError, match=r"c\.(gif|png)"):
            write_curve(tmp_path / wrong, curve, title="x")


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_no_label_meets_the_title(accuracy: float) -> None:
    def point(shots: int | None) -> LearningCurvePoint:
        return LearningCurvePoint(shots, 3, accuracy, accuracy, accuracy, 3)

    curve = LearningCurve((point(1), point(4), point(None)), point(0), 20, 1.0)
    title, *labels = [shape for shape in _shapes(curve, "title") if isinstance(shape, Text)]
    assert title.text == "title"
    assert len(labels) > 8
    for label in labels:
        assert label.y - label.size > title.y + 0.3 * title.size
