"""Hits as aligned tables."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clipsearch.render.display_text import display_width
from clipsearch.render.table import hits_table
from tests.helpers.hits import make_hit

ANY = st.text(st.characters(exclude_categories=()), max_size=40)


def test_table_shows_rank_scores_and_path() -> None:
    hits = [make_hit("/p/a.jpg", 0.312, 4.06), make_hit("/p/b.jpg", -0.05)]
    assert hits_table(hits, start=9).splitlines() == [
        " #   score     z  path",
        " 9   0.312  +4.1  /p/a.jpg",
        "10  -0.050        /p/b.jpg",
    ]


def test_table_leaves_z_out_where_no_hit_has_one() -> None:
    assert hits_table([make_hit("a.jpg")]) == "#  score  path\n1  0.300  a.jpg"


def test_a_table_without_hits_is_empty() -> None:
    assert hits_table([]) == ""


def test_paths_below_the_folder_are_shown_relative_to_it() -> None:
    hits = [make_hit("/p/in/a.jpg"), make_hit("/q/b.jpg")]
    shown = [line.split()[-1] for line in hits_table(hits, relative_to=Path("/p")).splitlines()]
    assert shown == ["path", str(Path("in/a.jpg")), str(Path("/q/b.jpg"))]


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
def test_table_columns_are_aligned_and_fit(
    rows: list[tuple[str, float, float | None]], start: int, width: int
) -> None:
    hits = [make_hit(Path("/") / name.replace("\0", ""), score, z) for name, score, z in rows]
    header, *lines = hits_table(hits, start=start, width=width).split("\n")
    start_of_path = header.index("path")
    assert len(lines) == len(hits)
    for line in lines:
        assert (
            line[start_of_path - 2 : start_of_path] == "  "
        )  # only ASCII before, so characters are columns
        assert line[start_of_path] in "/\\"
        assert display_width(line) <= width
