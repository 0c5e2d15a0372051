"""Filters by date, place and camera, through the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.commands import Run, one_line


@pytest.fixture
def dated(run: Run, tmp_path: Path) -> Run:
    """Two images with EXIF, one dated by its name and one without a date."""
    folder = tmp_path / "dated"
    folder.mkdir()
    for name, longitude, model in (("west", 179.99, "Pixel 7"), ("east", -179.99, "EOS 5D")):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Maker", model
        exif.get_ifd(0x8769)[0x9003] = "2015:06:07 12:00:00"
        gps = {1: "S", 2: (17.0, 0.0, 0.0), 3: "W" if longitude < 0 else "E"}
        exif.get_ifd(0x8825).update(gps | {4: (abs(longitude), 0.0, 0.0)})
        Image.new("RGB", (64, 64), "red").save(
            folder / f"{name}.jpg", exif=exif, quality=len(model)
        )
    Image.new("RGB", (64, 64), "blue").save(folder / "IMG-20140102-WA0001.jpg")
    Image.new("RGB", (64, 64), "green").save(folder / "none.png")
    assert run("ingest", folder).returncode == 0
    return run


def found(run: Run, *options: str) -> set[str]:
    done = run("query", "red", "--json", *options)
    assert done.returncode in (0, 1), done.stderr
    return {Path(json.loads(line)["path"]).stem for line in done.stdout.splitlines()}


def test_dates_places_and_cameras_filter(dated: Run) -> None:
    both, named = {"east", "west"}, {"IMG-20140102-WA0001"}
    assert found(dated, "--after", "2015") == both
    assert found(dated, "--after", "2014", "--before", "2015") == named
    assert found(dated, "--before", "2015-06-07T12:00") == named
    assert found(dated, "--after", "2015-06-07T12:00") == both
    assert found(dated, "--near", "-17,180,2") == both
    assert found(dated, "--near", "-17,179.99,1") == {"west"}
    assert found(dated, "--near", "48,11,100") == set()
    assert found(dated, "--camera", "PIXEL") == {"west"}
    assert found(dated, "--camera", "maker  eos") == {"east"}
    assert found(dated, "--filter", "not latitude > 0") == both
    assert found(dated, "--filter", "taken_from == 'name' or not camera like '%EOS%'") == {
        "west",
        "none",
        *named,
    }


def test_the_output_says_where_a_date_is_from(dated: Run) -> None:
    lines = dated("query", "red", "--json", "--camera", "pixel").stdout.splitlines()
    hit = json.loads(lines[0])
    assert (hit["taken_at"], hit["taken_from"]) == ("2015-06-07T12:00:00", "exif")
    assert (hit["camera"], hit["latitude"], hit["longitude"]) == ("Maker Pixel 7", -17, 179.99)
    table = dated("query", "red", "--csv", "--after", "2014").stdout
    assert ",2014-01-02T00:00:00,name,,,," in table


def test_images_without_a_date_are_counted(dated: Run) -> None:
    nothing = dated("query", "red", "--after", "2020")
    assert "without a date, which --after and --before skip: 1 of 4" in nothing.stderr
    wrong = dated("query", "red", "--after", "06/2015")
    assert (wrong.returncode, "write 2015, 2015-06" in one_line(wrong.stderr)) == (2, True)
