"""`clipsearch duplicates`."""

import csv
import io
import json
import shutil
from pathlib import Path

from tests.helpers.commands import Run


def test_duplicates_are_listed(ingested: Run, image_folder: Path) -> None:
    assert "no duplicates" in ingested("duplicates", "--threshold", "1").stderr
    shutil.copy(image_folder / "red.png", image_folder / "copy.png")
    ingested("ingest", image_folder)
    [group] = map(
        json.loads, ingested("duplicates", "--threshold", "1", "--json").stdout.splitlines()
    )
    assert group["identical"]
    assert {Path(file["path"]).name for file in group["files"]} == {"red.png", "copy.png"}
    assert "identical files" in ingested("duplicates", "--threshold", "1").stdout


def test_paths_csv_and_sheets_of_groups(ingested: Run, image_folder: Path, tmp_path: Path) -> None:
    shutil.copy(image_folder / "red.png", image_folder / "copy, of red.png")
    ingested("ingest", image_folder)
    paths = ingested("duplicates", "--paths").stdout.splitlines()
    assert {Path(path).name for path in paths} == {"red.png", "copy, of red.png"}
    null = ingested("duplicates", "-0").stdout
    assert null.split("\0") == [*paths, ""]
    assert ingested("duplicates", "--paths", "--copies").stdout.splitlines() == paths[1:]
    rows = list(csv.DictReader(io.StringIO(ingested("duplicates", "--csv").stdout)))
    assert [row["path"] for row in rows] == paths
    assert {row["group"] for row in rows} == {"1"}
    assert {row["identical"] for row in rows} == {"true"}
    for name in ("sheet.png", "sheet.html"):
        assert "contact sheet" in ingested("duplicates", "--sheet", tmp_path / name).stderr
        assert (tmp_path / name).stat().st_size > 1000
    assert "copy, of red.png" in (tmp_path / "sheet.html").read_text(encoding="utf-8")


def test_the_options_of_duplicates_are_checked(ingested: Run) -> None:
    for options in (["--json", "--csv"], ["--paths", "--json"], ["--copies"]):
        assert ingested("duplicates", *options).returncode == 2
    assert ingested("duplicates", "--sheet", "sheet.txt").returncode == 2
    assert ingested("duplicates", "--min-score", "0.5").returncode == 0
    assert ingested("duplicates", "--min-score", "nan").returncode == 2
