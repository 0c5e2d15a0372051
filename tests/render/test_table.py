"""Hits as text: harmless in a terminal, aligned, exact for programs."""

import csv
import io
import json
import os
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.escape import escape_control
from clipsearch.render.table import (
    FIELDS,
    csv_text,
    display_width,
    json_line,
    paths,
    shorten,
    table,
)
from clipsearch.types import Hit, ImageRecord

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
patient = settings(deadline=None)  # a busy machine is no failure
ANY = st.text(st.characters(exclude_categories=()), max_size=40)


def hit_of(
    path: Path | str, score: float = 0.3, z: float | None = None, taken: datetime | None = None
) -> Hit:
    return Hit(ImageRecord("1f", Path(path), "c0", 1234, 0, 640, 480, "jpeg", taken), score, z)


@patient
@given(ANY)
def test_safe_text_holds_nothing_that_acts_on_a_terminal(text: str) -> None:
    shown = escape_control(text)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown
    )
    assert not set(shown) & set(BIDI)
    shown.encode("utf-8")


@patient
@given(ANY.filter(str.isprintable))
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert escape_control(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("two\nlines\r", r"two\x0alines\x0d"),
        ("\x9b31m", r"\u009b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        (os.fsdecode(b"caf\xe9.jpg") if os.name != "nt" else "caf\udce9.jpg", r"caf\xe9.jpg"),
        ("\U000e0041", r"\U000e0041"),
        ("9.41\u202fAM 写真\u3000é", "9.41\u202fAM 写真\u3000é"),
    ],
)
def test_what_could_act_or_hide_shows_as_an_escape(text: str, shown: str) -> None:
    assert escape_control(text) == shown


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("写真", 4), ("cafe\u0301", 4), ("ｱ", 1), ("\uff21", 2), ("", 0)],
)
def test_width_counts_columns_not_characters(text: str, columns: int) -> None:
    assert display_width(text) == columns


@patient
@given(ANY.map(escape_control), st.integers(1, 30))
def test_shortened_text_fits(text: str, columns: int) -> None:
    short = shorten(text, lambda part: display_width(part) <= columns)
    assert display_width(short) <= columns
    if display_width(text) <= columns:
        assert short == text


def test_shortening_keeps_both_ends() -> None:
    assert shorten("a_long_name_here.jpg", lambda part: len(part) <= 11) == "a_lon…e.jpg"


def test_table_shows_rank_scores_and_path() -> None:
    hits = [hit_of("/p/a.jpg", 0.312, 4.06), hit_of("/p/b.jpg", -0.05)]
    assert table(hits, start=9).splitlines() == [
        " #   score     z  path",
        " 9   0.312  +4.1  /p/a.jpg",
        "10  -0.050        /p/b.jpg",
    ]


def test_table_leaves_z_out_where_no_hit_has_one() -> None:
    assert table([hit_of("a.jpg")]) == "#  score  path\n1  0.300  a.jpg"


def test_table_of_nothing_is_empty() -> None:
    assert table([]) == ""


def test_paths_below_the_folder_are_shown_without_it() -> None:
    hits = [hit_of("/p/in/a.jpg"), hit_of("/q/b.jpg")]
    shown = [line.split()[-1] for line in table(hits, relative_to=Path("/p")).splitlines()]
    assert shown == ["path", str(Path("in/a.jpg")), str(Path("/q/b.jpg"))]


@patient
@given(
    st.lists(
        st.tuples(
            ANY,
            st.floats(-1, 1),
            st.none() | st.floats(-99, 99),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 2000),
    st.integers(40, 120),
)
def test_table_columns_line_up_and_fit(
    rows: list[tuple[str, float, float | None]], start: int, width: int
) -> None:
    hits = [hit_of(Path("/") / name.replace("\0", ""), score, z) for name, score, z in rows]
    header, *lines = table(hits, start=start, width=width).split("\n")
    at = header.index("path")
    assert len(lines) == len(hits)
    for line in lines:
        assert line[at - 2 : at] == "  "  # ASCII before it, so characters are columns
        assert line[at] in "/\\"
        assert display_width(line) <= width


def test_a_json_line_holds_every_field() -> None:
    hit = hit_of("/p/a.jpg", 0.25, 4.06, datetime(2021, 3, 4, 5, 6, 7))
    line = json_line(hit)
    assert "\n" not in line
    assert json.loads(line) == {
        "id": "1f",
        "path": str(hit.path),
        "score": 0.25,
        "z": 4.06,
        "width": 640,
        "height": 480,
        "format": "jpeg",
        "taken_at": "2021-03-04T05:06:07",
        "size": 1234,
    }


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
@patient
@given(st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & {0, ord("/")}))
def test_any_file_name_survives_json_and_bare_paths(name: bytes) -> None:
    hit = hit_of(Path("/p") / os.fsdecode(name))
    line = json_line(hit)
    assert line.isascii()
    assert line.isprintable()
    assert os.fsencode(json.loads(line)["path"]) == os.fsencode(hit.path)
    assert paths([hit, hit], "\0") == (os.fsencode(hit.path) + b"\0") * 2


def test_bare_paths_end_in_newlines_by_default() -> None:
    assert paths([hit_of("a.jpg"), hit_of("b.jpg")]) == b"a.jpg\nb.jpg\n"
    assert paths([]) == b""


def test_csv_reads_back_even_with_awkward_names() -> None:
    names = ["plain.jpg", 'comma, "quote".jpg', "two\nlines.jpg", "caf\udce9.jpg"]
    text = csv_text([hit_of(name) for name in names])
    text.encode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(FIELDS)
    assert [row["path"] for row in rows] == [*names[:3], r"caf\udce9.jpg"]
    assert rows[0]["z"] == rows[0]["taken_at"] == ""
