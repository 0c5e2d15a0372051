"""The table and the chart of a comparison of models."""

from pathlib import Path

import pytest
from PIL import Image

from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.render import comparison_chart, evaluation_table


def results() -> list[Evaluation]:
    """Two models' numbers."""

    def one(model: str, recall: float, rank: float) -> Evaluation:
        gain = Estimate(-0.01, -0.05, 0.02)
        return Evaluation(
            kind="retrieval",
            model=model,
            counts={"images": 500},
            measures=(
                Measure("text to image", "R@1", Estimate(recall, recall - 0.05, recall + 0.05)),
                Measure("text to image", "median rank", Estimate(rank, 1, 9), False, True),
                Measure("gain", "top-1", gain, is_difference=True),
            ),
        )

    return [one("pocket", 0.3, 6.5), one("<a very long name of a model>/tag", 0.6, 2)]


def test_a_comparison_marks_the_best() -> None:
    assert evaluation_table.comparison_rows(results()) == [
        ["", "pocket", "<a very long name of a model>/tag"],
        ["text to image"],
        ["R@1", "30.0 %", "60.0 %*"],
        ["median rank", "6.5", "2*"],
        ["gain"],
        ["top-1", "-1.0 %", "-1.0 %"],
    ]
    lines = evaluation_table.align_rows(evaluation_table.comparison_rows(results())).splitlines()
    assert lines[3].startswith("  R@1")
    assert lines[3].endswith("60.0 %*")


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_comparison_is_written_as_html_and_as_an_image(tmp_path: Path, count: int) -> None:
    many = (results() * 4)[:count]
    comparison_chart.write_comparison(tmp_path / "c.html", many)
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "<a very" not in page
    comparison_chart.write_comparison(tmp_path / "c.png", many)
    with Image.open(tmp_path / "c.png") as image:
        assert image.width == comparison_chart.WIDTH
        assert image.height > 300
