"""`clipsearch remove` and `drop`."""

import json
from pathlib import Path

from tests.helpers.commands import Run, one_line


def test_status_remove_and_drop(ingested: Run, image_folder: Path) -> None:
    [collection] = json.loads(ingested("status", "--json").stdout)["collections"]
    assert (collection["name"], collection["images"]) == ("images", 3)
    assert (collection["model"], collection["roots"]) == ("pocket", [str(image_folder)])
    assert "1 removed" in ingested("remove", image_folder / "red.png").stderr
    again = ingested("remove", image_folder / "red.png")
    assert (again.returncode, "has no images at" in one_line(again.stderr)) == (2, True)
    refused = ingested("drop", "images")
    assert (refused.returncode, "needs --yes" in one_line(refused.stderr)) == (2, True)
    assert ingested("drop", "images", "--yes").returncode == 0
    assert (image_folder / "green.png").is_file()
    assert "no collections" in ingested("status").stdout


def test_remove_deletes_failures_and_names_unknown_paths(
    ingested: Run, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    assert ingested("ingest", "notes.txt").returncode == 3
    done = ingested("remove", "notes.txt", image_folder / "red.png", "nowhere")
    assert done.returncode == 2
    assert "2 removed" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("has no images at nowhere")
    assert json.loads(ingested("status", "--json").stdout)["collections"][0]["failures"] == []
