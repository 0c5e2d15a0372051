"""Hits as JSON lines, CSV and bare paths, exact for programs."""

import csv
import io
import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.render.json_csv import HIT_FIELDS, hit_json, hit_paths, hits_csv
from tests.helpers.hits import make_hit


def test_a_json_line_has_every_field() -> None:
    hit = make_hit("/p/a.jpg", 0.25, 4.06, datetime(2021, 3, 4, 5, 6, 7))
    line = hit_json(hit)
    assert "\n" not in line
    assert json.loads(line) == {
        "id": "1f",
        "path": str(hit.path),
        "score": 0.25,
        "z": 4.06,
        "p": None,
        "width": 640,
        "height": 480,
        "format": "jpeg",
        "taken_at": "2021-03-04T05:06:07",
        "taken_from": None,
        "camera": None,
        "latitude": None,
        "longitude": None,
        "size": 1234,
        "textness": None,
        "tags": [],
        "missing": False,
        "warnings": [],
    }
    assert json.loads(hit_json(hit, ["cut"]))["warnings"] == ["cut"]


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
@given(st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & {0, ord("/")}))
def test_any_file_name_survives_json_and_bare_paths(name: bytes) -> None:
    hit = make_hit(Path("/p") / os.fsdecode(name))
    line = hit_json(hit)
    assert line.isascii()
    assert line.isprintable()
    assert os.fsencode(json.loads(line)["path"]) == os.fsencode(hit.path)
    assert hit_paths([hit, hit], "\0") == (os.fsencode(hit.path) + b"\0") * 2


def test_bare_paths_end_in_newlines_by_default() -> None:
    assert hit_paths([make_hit("a.jpg"), make_hit("b.jpg")]) == b"a.jpg\nb.jpg\n"
    assert hit_paths([]) == b""


def test_csv_with_unusual_names_can_be_parsed() -> None:
    names = ["plain.jpg", 'comma, "quote".jpg', "two\nlines.jpg", "caf\udce9.jpg"]
    text = hits_csv([make_hit(name) for name in names])
    text.encode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(HIT_FIELDS)
    assert [row["path"] for row in rows] == [*names[:3], r"caf\udce9.jpg"]
    assert rows[0]["z"] == rows[0]["taken_at"] == ""
