"""Filter expressions on a real Milvus Lite, compared with Python."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, Store, filters
from clipsearch.store.schema import decode_path, encode_path
from tests.helpers.records import MODEL, row

ODD = "aA0 '\"\\%_-.:~*?[]{}()$#@!,;=<>&|^`\t\n\r\x01\x7fé日😀\u2028\ufeff\U0010ffff"
NAMES = st.one_of(
    st.binary(min_size=1, max_size=8).filter(lambda name: not set(name) & set(b"/\0")),
    st.text(ODD, min_size=1, max_size=8).map(os.fsencode),
).filter(lambda name: name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(
    lambda names: Path(os.fsdecode(b"/" + b"/".join(names)))
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with Store.open(tmp_path_factory.mktemp("filters") / "photos.db") as store:
        yield store.create("photos", MODEL)


def paths(images: Collection, where: str) -> set[Path]:
    return {record.path for record in images.scan(where)}


def fill(images: Collection, *rows: object) -> None:
    images.delete([record.id for record in images.scan()])
    images.upsert(rows)  # type: ignore[arg-type]


@given(PATHS)
def test_any_path_survives_being_stored(path: Path) -> None:
    text = encode_path(path)
    assert decode_path(text) == path
    assert text.isprintable() or text.encode()
    assert not any(ch < " " for ch in text)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATHS, min_size=1, max_size=12, unique=True))
def test_any_path_matches_itself_and_its_folders(images: Collection, given: list[Path]) -> None:
    fill(images, *(row(path) for path in given))
    assert paths(images, "") == set(given)
    for path in given[:3]:
        assert paths(images, filters.path_equals(path)) == {path}
        for folder in path.parents:
            inside = {p for p in given if folder in p.parents}
            assert paths(images, filters.in_folder(folder)) == inside


def test_a_folder_does_not_match_similar_names(images: Collection) -> None:
    inside = [Path("/a_b/x.jpg"), Path("/a_b/c/y.jpg"), Path("/a_b/\udcff.jpg"), Path("/a_b/\n")]
    outside = [Path("/axb/x.jpg"), Path("/a_bc/x.jpg"), Path("/a_b"), Path("/a_b0"), Path("/A_B/x")]
    fill(images, *map(row, inside + outside))
    assert paths(images, filters.in_folder(Path("/a_b"))) == set(inside)
    assert paths(images, filters.in_folder(Path("/"))) == {*inside, *outside}


def test_dates_leave_out_images_without_a_date(images: Collection) -> None:
    old, new = datetime(1969, 1, 2), datetime(2024, 2, 29, 12)
    fill(images, row("/old", taken_at=old), row("/new", taken_at=new), row("/none"))
    assert paths(images, filters.taken_from(datetime(1900, 1, 1))) == {Path("/old"), Path("/new")}
    assert paths(images, filters.taken_from(new)) == {Path("/new")}
    assert paths(images, filters.taken_before(new)) == {Path("/old")}
    assert paths(images, filters.taken_before(datetime(9999, 1, 1))) == {Path("/old"), Path("/new")}


def test_the_other_fields(images: Collection) -> None:
    fill(
        images,
        row("/a", format="jpeg", size=1, content="one"),
        row("/b", format="png", size=2, content="two"),
        row("/c", format="gif", size=2**50, content='"; \\'),
    )
    a, b, c = map(Path, ("/a", "/b", "/c"))
    assert paths(images, filters.format_in(["JPEG", "png"])) == {a, b}
    assert paths(images, filters.at_least("size", 2)) == {b, c}
    assert paths(images, filters.at_most("size", 2)) == {a, b}
    assert paths(images, filters.content_not('"; \\')) == {a, b}
    assert paths(images, filters.content_in(['"; \\', "two"])) == {b, c}
    assert paths(images, filters.id_in([image_id(a), image_id(c)])) == {a, c}
    assert a in paths(images, filters.id_starts_with(image_id(a)[:5].upper()))
    assert paths(images, filters.id_starts_with(image_id(a))) == {a}


def test_conditions_are_combined_in_parentheses(images: Collection) -> None:
    fill(images, row("/a", size=1), row("/b", size=2), row("/c", size=3))
    either = "size == 1 or size == 2"
    assert paths(images, filters.all_of(either, "", "size >= 2", "  ")) == {Path("/b")}
    assert filters.all_of("", " ") == ""
    assert filters.all_of(either, "") == either


@pytest.mark.parametrize(
    "make",
    [
        lambda: filters.quote("a\nb"),
        lambda: filters.quote("a\udcffb"),
        lambda: filters.id_starts_with(""),
        lambda: filters.id_starts_with("xyz"),
        lambda: filters.id_starts_with("a" * 33),
        lambda: filters.at_least("path", 3),
        lambda: filters.format_in([]),
    ],
)
def test_an_impossible_value_is_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()  # type: ignore[operator]


def test_ids_with_a_condition_that_many_rows_in_sequence_do_not_match(images: Collection) -> None:
    """A list of ids beside another condition finds wrong rows of Milvus Lite 2.5.1."""
    rows = [row(f"/many/{number}.jpg", size=number) for number in range(17_000)]
    fill(images, *rows)
    ids = [each.record.id for each in rows[::500]]
    for least in (1, 9_000, 16_500, 20_000):
        expected = {each.record.id for each in rows[::500] if each.record.size >= least}
        for condition in (f"size >= {least}", f"size >= {least} and width > 3"):
            where = filters.id_in(ids, condition)
            assert set(images.scan_field("id", where)) == expected
            [hits] = images.search(rows[0].embedding, limit=100, condition=where)
            assert {hit.id for hit in hits} == expected
    assert set(images.scan_field("id", filters.id_in(ids))) == set(ids)
