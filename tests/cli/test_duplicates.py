"""`clipsearch duplicates`."""

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
