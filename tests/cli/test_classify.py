"""`classify`, `tag` and `probe` on the command line, with the embedded model on drawn pictures."""

import csv
import io
import json
from pathlib import Path

import pytest

from clipsearch.render.display_text import display_width
from clipsearch.render.json_csv import CLASSIFICATION_FIELDS
from clipsearch.render.table import NO_LABEL
from tests.cli.test_cli import environ, ingested, one_line, run
from tests.helpers.commands import Run
from tests.helpers.fakes import draw

__all__ = ["environ", "ingested", "run"]

LABELS = ("-l", "a red wall", "-l", "green grass", "--label", "青い 海 🌊")


def test_files_are_classified_without_a_store(run: Run, photos: Path, tmp_path: Path) -> None:
    table = run("classify", photos, *LABELS)
    assert (table.returncode, table.stderr) == (0, "")
    lines = table.stdout.splitlines()
    assert len(lines) == 3
    assert "青い 海 🌊" in table.stdout
    assert lines[0].endswith("photos/blue.png")
    assert len({display_width(line.split("photos/")[0]) for line in lines}) == 1  # aligned
    assert not (tmp_path / "store").exists()

    lines = run("classify", photos / "red.png", *LABELS, "--json").stdout.splitlines()
    [found] = [json.loads(line) for line in lines]
    assert found["path"] == str(photos / "red.png")
    assert found["label"] == found["predictions"][0]["label"] == "a red wall"
    assert {p["label"] for p in found["predictions"]} == {*LABELS[1::2]}
    assert sum(p["probability"] for p in found["predictions"]) == pytest.approx(1, abs=1e-4)

    text = run("classify", photos, *LABELS, "--csv", "--top", "2").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["rank"] for row in rows] == ["1", "2"] * 3
    assert list(rows[0]) == list(CLASSIFICATION_FIELDS)


def test_labels_come_from_a_file_and_none_may_fit(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a red wall\n青い 海 🌊\n", encoding="utf-8")
    options = ("--label-file", "labels.txt", "--template-set", "plain", "--template", "a {}!")
    found = run("classify", photos, *options, "--threshold", "1", "--json")
    assert found.returncode == 0
    assert all(json.loads(line)["label"] is None for line in found.stdout.splitlines())
    assert run("classify", photos, *options, "--threshold", "1").stdout.count(NO_LABEL) == 3
    more = run("classify", photos, *options, "-l", "grass", "--json").stdout.splitlines()[0]
    assert len(json.loads(more)["predictions"]) == 3


def test_a_bad_picture_is_told_and_the_others_go_on(run: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    found = run("classify", photos, *LABELS)
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
def test_wrong_classifications_get_a_line(
    run: Run, photos: Path, arguments: list[str], message: str
) -> None:
    found = run("classify", *arguments)
    assert found.returncode == 2
    assert found.stdout == ""
    assert message in one_line(found.stderr)


def test_a_collection_is_classified_tagged_and_filtered(ingested: Run, photos: Path) -> None:
    found = ingested("classify", *LABELS, "--glob", "red*", "--top", "1")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 1

    done = ingested("tag", *LABELS, "--threshold", "0", "--json")
    assert done.returncode == 0
    counts = {one["label"]: one["images"] for one in map(json.loads, done.stdout.splitlines())}
    assert sum(counts.values()) == 3
    assert "3 tagged, 0 without a tag, 3 changed" in done.stderr
    hits = ingested("query", "anything", "--tag", "a red wall", "--json").stdout.splitlines()
    assert len(hits) == counts["a red wall"] > 0
    assert json.loads(hits[0])["tags"] == ["a red wall"]

    wrong = ingested("query", "anything", "--tag", "a rde wall")
    assert wrong.returncode == 2
    assert "no image has the tag 'a rde wall'; " in one_line(wrong.stderr)
    assert "'a red wall'" in wrong.stderr

    listed = ingested("tag", "--list").stdout
    assert [line.split("  ")[0] for line in listed.splitlines()] == [
        label for label, count in sorted(counts.items(), key=lambda each: -each[1]) if count
    ]
    assert "removed the tags of 3 images" in ingested("tag", "--clear").stderr
    assert ingested("tag", "--list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no labels"),
        (["--list", "--clear"], "exclude each other"),
        (["-l", "a", "-l", "b", "--list"], "exclude each other"),
        (["--list", "--under", "photos"], "whole collection"),
        (["--probe", "gone.probe"], "gone.probe cannot be read"),
        (["--label-file", "photos/red.png"], "no UTF-8"),
    ],
)
def test_wrong_tags_get_a_line(ingested: Run, arguments: list[str], message: str) -> None:
    found = ingested("tag", *arguments)
    assert found.returncode == 2
    assert message in one_line(found.stderr)


def test_a_probe_is_fitted_drawn_and_applied(ingested: Run, tmp_path: Path) -> None:
    for name, colour in (("red", (220, 10, 10)), ("blue", (10, 10, 220))):
        for n in range(4):
            draw(tmp_path / "examples" / name / f"{n}.png", colour, size=(40 + n, 30))
    fitted = ingested(
        *("probe", "fit", "examples", "-o", "colours.probe", "--shots", "1,2", "--seeds", "2"),
        *("--figure", "curve.svg"),
    )
    assert fitted.returncode == 0, fitted.stderr
    assert [line.split()[0] for line in fitted.stdout.splitlines()[1:]] == [
        "zero-shot", "1", "2", "all",
    ]  # fmt: skip
    assert "2 runs, each on 2 held-out images" in fitted.stderr
    assert (tmp_path / "curve.svg").read_text("utf-8").startswith("<svg")
    facts = json.loads(
        ingested("probe", "fit", "examples", "-o", "b.probe", "--seeds", "0", "--json").stdout
    )
    assert facts["labels"] == ["blue", "red"]
    assert facts["curve"] == []

    applied = ingested("probe", "apply", "colours.probe", "photos/red.png", "--top", "1")
    assert applied.stdout.split()[1:] == ["red", "photos/red.png"]
    whole = ingested("probe", "apply", "colours.probe", "--json")
    assert len(whole.stdout.splitlines()) == 3
    assert ingested("tag", "--probe", "colours.probe").returncode == 0
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
def test_wrong_probes_get_a_line(
    run: Run, photos: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    found = run("probe", *arguments)
    assert found.returncode == 2
    assert found.stdout == ""
    assert message in one_line(found.stderr)
    assert not (tmp_path / "x.probe").exists()
