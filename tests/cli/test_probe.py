"""`clipsearch probe`."""

import json
from pathlib import Path

import pytest

from tests.helpers.commands import Run, one_line
from tests.helpers.fakes import draw


def test_a_probe_is_fitted_drawn_and_applied(ingested: Run, tmp_path: Path) -> None:
    for name, color in (("red", (220, 10, 10)), ("blue", (10, 10, 220))):
        for n in range(4):
            draw(tmp_path / "examples" / name / f"{n}.png", color, size=(40 + n, 30))
    fitted = ingested(
        *("probe", "fit", "examples", "-o", "colors.probe", "--shots", "1,2", "--seeds", "2"),
        *("--figure", "curve.svg"),
    )
    assert fitted.returncode == 0, fitted.stderr
    assert [line.split()[0] for line in fitted.stdout.splitlines()[1:]] == [
        *("zero-shot", "1", "2", "all")
    ]
    assert "2 runs, each on 2 held-out images" in fitted.stderr
    assert (tmp_path / "curve.svg").read_text("utf-8").startswith("<svg")
    facts = json.loads(
        ingested("probe", "fit", "examples", "-o", "b.probe", "--seeds", "0", "--json").stdout
    )
    assert facts["labels"] == ["blue", "red"]
    assert facts["curve"] == []

    applied = ingested("probe", "apply", "colors.probe", "photos/red.png", "--top", "1")
    assert applied.stdout.split()[1:] == ["red", "photos/red.png"]
    whole = ingested("probe", "apply", "colors.probe", "--json")
    assert len(whole.stdout.splitlines()) == 3
    assert ingested("tag", "--probe", "colors.probe").returncode == 0
    assert ingested("query", "x", "--tag", "red", "--paths").stdout.endswith("red.png\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "photos", "-o", "x.probe"], "there is none"),
        (["fit", ".", "-o", "x.probe"], "only 'photos'"),
        (["fit", "gone", "-o", "x.probe"], "no such folder"),
        (["fit", ".", "-o", "x.probe", "--shots", "a"], "--shots takes numbers"),
        (["fit", ".", "-o", "x.probe", "--shots", "0"], "--shots takes numbers"),
        (["fit", ".", "-o", "x.probe", "--figure", "c.gif"], "must end in .png, .svg"),
        (
            ["fit", ".", "-o", "x.probe", "--figure", "c.png", "--seeds", "0"],
            "skips the learning curve",
        ),
        (["fit", "."], "--output"),
        (["fit", ".", "-o", "none/x.probe"], "no folder none"),
        (["apply", "photos/red.png", "photos"], "not a probe"),
        (["apply", "gone", "photos"], "cannot be read"),
    ],
)
def test_usage_errors_of_probe_are_one_line(
    run: Run, image_folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    found = run("probe", *arguments)
    assert found.returncode == 2
    assert found.stdout == ""
    assert message in one_line(found.stderr)
    assert not (tmp_path / "x.probe").exists()
