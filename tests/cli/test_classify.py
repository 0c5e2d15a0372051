"""`clipsearch classify` with the embedded model, on drawn images."""

import csv
import io
import json
from pathlib import Path

import pytest

from clipsearch.render.display_text import display_width
from clipsearch.render.json_csv import CLASSIFICATION_FIELDS
from clipsearch.render.table import NO_LABEL
from tests.helpers.commands import Run, one_line

LABELS = ("-l", "a red wall", "-l", "green grass", "--label", "青い 海 🌊")


def test_files_are_classified_without_a_store(run: Run, image_folder: Path, tmp_path: Path) -> None:
    table = run("classify", image_folder, *LABELS)
    assert table.returncode == 0
    assert 'does not know "青い", "海", "🌊"' in one_line(table.stderr)
    lines = table.stdout.splitlines()
    assert len(lines) == 3
    assert "青い 海 🌊" in table.stdout
    assert lines[0].endswith("photos/blue.png")
    assert len({display_width(line.split("photos/")[0]) for line in lines}) == 1  # aligned
    assert not (tmp_path / "store").exists()

    cached = run("classify", image_folder / "red.png", *LABELS, "--json")
    assert "does not know" in cached.stderr
    [found] = [json.loads(line) for line in cached.stdout.splitlines()]
    assert found["path"] == str(image_folder / "red.png")
    assert found["label"] == found["predictions"][0]["label"] == "a red wall"
    assert {p["label"] for p in found["predictions"]} == {*LABELS[1::2]}
    assert sum(p["probability"] for p in found["predictions"]) == pytest.approx(1, abs=1e-4)

    text = run("classify", image_folder, *LABELS, "--csv", "--top", "2").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["rank"] for row in rows] == ["1", "2"] * 3
    assert list(rows[0]) == list(CLASSIFICATION_FIELDS)


def test_labels_come_from_a_file_and_no_label_may_match(
    run: Run, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("a red wall\n青い 海 🌊\n", encoding="utf-8")
    options = ("--label-file", "labels.txt", "--template-set", "plain", "--template", "a {}!")
    found = run("classify", image_folder, *options, "--threshold", "1", "--json")
    assert found.returncode == 0
    assert all(json.loads(line)["label"] is None for line in found.stdout.splitlines())
    assert run("classify", image_folder, *options, "--threshold", "1").stdout.count(NO_LABEL) == 3
    more = run("classify", image_folder, *options, "-l", "grass", "--json").stdout.splitlines()[0]
    assert len(json.loads(more)["predictions"]) == 3


def test_a_bad_image_is_reported_and_the_others_are_classified(
    run: Run, image_folder: Path
) -> None:
    (image_folder / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    found = run("classify", image_folder, *LABELS)
    assert found.returncode == 3
    assert len(found.stdout.splitlines()) == 3
    assert "bad.jpg" in found.stderr
    assert "1 failed" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos"], "no labels"),
        (["photos", "-l", "dog"], "is the only label"),
        (["photos", "-l", "a", "-l", "a"], "given twice"),
        (["photos", "-l", "a", "-l", "b", "--template", "a photo"], "has no {}"),
        (["photos", "-l", "a", "-l", "b", "--template-set", "nice"], "is not one of"),
        (["photos", "--label-file", "gone.txt"], "gone.txt cannot be read"),
        (["photos", "-l", "a", "-l", "b", "--threshold", "2"], "2"),
        (["photos", "-l", "a", "-l", "b", "--top", "0"], "0"),
        (["photos", "-l", "a", "-l", "b", "--json", "--csv"], "exclude"),
        (["photos", "-l", "a", "-l", "b", "-c", "images"], "give one of them"),
        (["photos", "-l", "a", "-l", "b", "--under", "photos"], "not PATHS"),
        (["gone", "-l", "a", "-l", "b"], "no such file"),
        (["photos", "-l", "a", "-l", "b", "--model", "nonsense"], "unknown model"),
    ],
)
def test_usage_errors_of_classify_are_one_line(
    run: Run, image_folder: Path, arguments: list[str], message: str
) -> None:
    found = run("classify", *arguments)
    assert found.returncode == 2
    assert found.stdout == ""
    assert message in one_line(found.stderr)
