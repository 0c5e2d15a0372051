"""`clipsearch query` and `similar` with the embedded model, on drawn images."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.helpers.commands import Run, one_line


def test_images_are_ingested_and_searched(run: Run, image_folder: Path) -> None:
    first = run("ingest", image_folder)
    assert first.returncode == 0
    assert first.stdout == ""
    assert "model pocket: CLIPSEARCH_MODEL names it" in first.stderr
    assert "3 stored" in first.stderr
    again = run("ingest", image_folder, "--json", "--quiet")
    assert json.loads(again.stdout)["unchanged"] == 3
    assert again.stderr == ""

    found = run("query", "a", "red", "wall")
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 4
    assert "photos/red.png" in found.stdout

    lines = run("query", image_folder / "red.png", "--json", "-n", "2").stdout.splitlines()
    hits = [json.loads(line) for line in lines]
    assert hits[0]["path"] == str(image_folder / "red.png")
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    assert (
        run("query", f"id:{hits[0]['id'][:8]}", "--paths", "-n", "1").stdout
        == hits[0]["path"] + "\n"
    )
    rest = run("query", "./photos/red.png", "--no-self", "-0").stdout
    assert set(rest.split("\0")) == {
        str(image_folder / "green.png"),
        str(image_folder / "blue.png"),
        "",
    }
    table = list(
        csv.DictReader(io.StringIO(run("similar", image_folder / "red.png", "--csv").stdout))
    )
    assert {row["path"] for row in table} == {
        str(image_folder / "green.png"),
        str(image_folder / "blue.png"),
    }


def test_image_and_text_terms_add_up(ingested: Run, image_folder: Path) -> None:
    both = ingested("query", "green", "+", "./photos/red.png", "-", "blue", "--json")
    assert json.loads(both.stdout.splitlines()[0])["path"] == str(image_folder / "red.png")
    weighed = ingested(
        "query", "red", "--image", f"9:{image_folder / 'blue.png'}", "--json", "-n", "1"
    )
    assert json.loads(weighed.stdout)["path"] == str(image_folder / "blue.png")


def test_operators_within_quotes_are_named(ingested: Run) -> None:
    message = '"red - blue" is searched as one text; without quotes, - is an operator\n'
    assert message in ingested("query", "red - blue").stderr
    assert "operator" not in ingested("query", "red", "-", "blue-green").stderr


def test_contact_sheets_are_written(ingested: Run, tmp_path: Path) -> None:
    for name in ("sheet.png", "sheet.html"):
        done = ingested("query", "red", "--sheet", name)
        assert done.returncode == 0, done.stderr
        assert f"contact sheet: {name}" in done.stderr
        assert (tmp_path / name).stat().st_size > 1000


def test_a_query_without_a_collection_recommends_ingest(run: Run) -> None:
    done = run("query", "dog")
    assert done.returncode == 1
    assert "clipsearch ingest" in one_line(done.stderr)


def test_missing_files_are_marked_and_can_be_hidden(ingested: Run, image_folder: Path) -> None:
    (image_folder / "red.png").unlink()
    lines = ingested("query", "red").stdout.splitlines()[1:]
    assert [line.endswith("red.png  (missing)") for line in lines].count(True) == 1
    assert sum("(missing)" in line for line in lines) == 1
    rows = [json.loads(line) for line in ingested("query", "red", "--json").stdout.splitlines()]
    assert {Path(row["path"]).name: row["missing"] for row in rows} == {
        "red.png": True,
        "green.png": False,
        "blue.png": False,
    }
    existing = ingested("query", "red", "--existing", "--paths").stdout
    assert {Path(line).name for line in existing.splitlines()} == {"green.png", "blue.png"}
    full = ingested("query", "red", "--existing", "--paths", "-n", "2").stdout
    assert full == existing
    pages = [
        ingested("query", "red", "--existing", "--paths", "-n", "1", "--offset", str(n)).stdout
        for n in range(3)
    ]
    assert "".join(pages) == existing
    ranked = ingested("textness", "rank", "--existing", "--paths", "-n", "2").stdout
    assert sorted(ranked.splitlines()) == sorted(existing.splitlines())
