"""`clipsearch calibrate`, and the p of hits afterwards."""

import json
from pathlib import Path

import pytest

from clipsearch.calibration import fit
from clipsearch.evaluation import calibrate
from tests.helpers.commands import Run, one_line
from tests.helpers.fakes import draw

COLORS = {
    "red": (220, 10, 10),
    "green": (10, 200, 10),
    "blue": (10, 10, 220),
    "yellow": (230, 230, 20),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
}


@pytest.fixture
def walls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty-four images with two captions each, and thresholds that suit so few."""
    monkeypatch.setattr(calibrate, "MIN_IMAGES", 20)
    monkeypatch.setattr(calibrate, "MIN_QUERIES", len(COLORS))
    monkeypatch.setattr(fit, "COLLECTIONS", 40)
    lines = []
    for name, color in COLORS.items():
        for number in range(4):
            draw(tmp_path / "walls" / f"{name}{number}.png", color, size=(30 + number, 20))
            captions = [f"a {name} wall", f"the wall is {name}"]
            lines.append(json.dumps({"file": f"{name}{number}.png", "captions": captions}))
    (tmp_path / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    return tmp_path / "walls"


def probabilities(run: Run) -> list[float | None]:
    done = run("query", "a red wall", "--json", "-n", "3")
    return [json.loads(line)["p"] for line in done.stdout.splitlines()]


def test_captions_calibrate_the_model_until_that_is_reset(run: Run, walls: Path) -> None:
    assert run("ingest", walls).returncode == 0
    bundled = probabilities(run)
    done = run("calibrate", "captions.jsonl", "--images", "walls")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("pocket is calibrated, by captions of 24 images\n")
    assert "24 images are few" in done.stderr
    assert "calibrated by captions of 24 images" in run("status").stdout
    own = probabilities(run)
    assert None not in own
    assert own != bundled

    assert run("export", "walls.parquet").returncode == 0
    assert run("calibrate", "--reset").stderr.endswith("uses the calibration of clipsearch again\n")
    assert probabilities(run) == pytest.approx(bundled)
    assert run("import", "walls.parquet").returncode == 0
    assert probabilities(run) == pytest.approx(own)


def test_without_captions_the_calibration_of_pocket_is_adapted(run: Run, walls: Path) -> None:
    run("ingest", walls)
    done = run("calibrate")
    assert "24 images without captions, adapted" in done.stderr
    assert "pocket is calibrated by captions already" in done.stderr
    assert None not in probabilities(run)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--images", "walls"), "need a file of captions"),
        (("captions.jsonl", "--reset"), "not both"),
        (("--reset",), "no calibration of pocket is stored"),
        (("captions.jsonl", "--images", "."), "none of the 24 captioned images"),
        (("captions.jsonl", "--images", "walls", "--limit", "5"), "are too few"),
    ],
)
def test_what_does_not_fit_is_refused(
    run: Run, walls: Path, arguments: tuple[str, ...], reason: str
) -> None:
    run("ingest", walls)
    done = run("calibrate", *arguments)
    assert done.returncode != 0
    assert reason in one_line(done.stderr)


def test_similar_images_have_no_p_to_cut(run: Run, walls: Path) -> None:
    run("ingest", walls)
    done = run("similar", walls / "red0.png", "--min-p", "0.5")
    assert done.returncode != 0
    assert "--min-z cuts similar images" in one_line(done.stderr)
    all_hits = run("similar", walls / "red0.png", "--json").stdout.splitlines()
    cut = run("similar", walls / "red0.png", "--json", "--min-z", "1").stdout.splitlines()
    assert 0 < len(cut) < len(all_hits)
    assert all(json.loads(line)["z"] >= 1 for line in cut)
