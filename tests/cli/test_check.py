"""`clipsearch check`."""

import json
from pathlib import Path

import numpy as np

from clipsearch.images.hashing import image_id
from clipsearch.store import Store
from tests.helpers.commands import Run


def damage(path: Path) -> None:
    """Change the width of a stored image, but not its checksum."""
    with Store.open("store/cli.db") as store:
        images = store.collection("images")
        [entity] = images._scanner.by_ids([image_id(path)], images._all_fields, vectors=True)
        values = {"embedding": np.asarray(entity["embedding"], np.float32), "width": 9_999}
        store.backend.upsert("images", [{**entity, **values}])


def test_check_finds_damage_and_repairs_it(ingested: Run, image_folder: Path) -> None:
    sound = ingested("check")
    assert (sound.returncode, sound.stdout) == (0, "images: 3 rows, none damaged\n")
    damage(image_folder / "red.png")
    found = ingested("check")
    assert found.returncode == 1
    assert f"{image_folder / 'red.png'}: its checksum is wrong" in found.stdout
    assert "clipsearch check --repair" in found.stdout
    repaired = ingested("check", "--repair")
    assert (repaired.returncode, "1 embedded again, 0 removed" in repaired.stdout) == (0, True)
    assert ingested("check").stdout == sound.stdout


def test_check_prints_json(ingested: Run, image_folder: Path) -> None:
    damage(image_folder / "red.png")
    (image_folder / "red.png").unlink()
    done = ingested("check", "--repair", "--json")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    [row] = report.pop("damaged")
    assert report.pop("texts") == {"read": 0, "damaged": 0, "outdated": 0}
    assert report == {"collection": "images", "rows": 3, "lost": 0, "checksums": True}
    assert (row["path"], row["reason"]) == (
        str(image_folder / "red.png"),
        "its checksum is wrong",
    )
    assert row["outcome"].startswith("removed: ")
    again = json.loads(ingested("check", "--json").stdout)
    assert (again["rows"], again["damaged"]) == (2, [])
