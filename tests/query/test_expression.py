"""Filter expressions: what they select, compared with Python, and what is refused."""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.errors import StoreError, UsageError
from clipsearch.query import Filters
from clipsearch.query.condition import select
from clipsearch.query.expression import FIELDS, NUMBER_FIELDS, TEXT_FIELDS
from clipsearch.query.expression_parser import MAX_DEPTH
from clipsearch.records import ImageRecord
from clipsearch.store import Collection, Store
from clipsearch.store.filters import INTEGER_FIELDS
from clipsearch.store.schema import RECORD_FIELDS
from clipsearch.types import ImageRow
from tests.helpers.records import MODEL, old_schema, row

Verdict: TypeAlias = Callable[[ImageRecord], bool | None]
"""Whether an expression is true for a record; None if a value is unknown, as in SQL."""

COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def full(path: str, **values: Any) -> ImageRow:
    plain = row(path)
    return replace(plain, record=replace(plain.record, **values))


ROWS = [
    full("/a/cat.jpg", size=0, width=10, height=20, format="jpeg", tags=("cat",)),
    full("/a/100%_'x'.png", size=99, width=20, height=10, format="png", tags=("cat", "a b")),
    full("/a/b\\c.gif", size=2**62, width=5, height=5, format="gif", camera="Canon EOS 5D"),
    full("/é/Cat.jpg", size=500, width=1, height=2, taken_at=datetime(2015, 6, 7)),
    full("/é/日.jpg", mtime_ns=-5, latitude=48.137, longitude=11.575, taken_from="exif"),
    full('/"/x.jpg', latitude=-33.9, longitude=151.2, taken_at=datetime(1900, 1, 1)),
    full("/z", latitude=0.0, longitude=-180.0, camera="Google Pixel 7", tags=("dog",)),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with Store.open(tmp_path_factory.mktemp("expressions") / "images.db") as store:
        collection = store.create("images", MODEL)
        collection.upsert(ROWS)
        yield collection


def found(images: Collection, expression: str, **filters: Any) -> list[str]:
    selection = select(Filters(expression=expression, **filters), images)
    records = images.scan(selection.condition)
    return sorted(str(record.path) for record in records if selection.matches(record))


def number_of(record: ImageRecord, field: str) -> Fraction | None:
    value = getattr(record, field)
    if isinstance(value, datetime):
        return Fraction(int((value - datetime(1970, 1, 1)).total_seconds()))
    return None if value is None else Fraction(str(value))


def like(pattern: str, text: str) -> bool:
    regex = re.escape(pattern).replace("%", ".*").replace("_", ".")
    return re.fullmatch(regex, text, re.DOTALL) is not None


def quoted(text: str) -> st.SearchStrategy[str]:
    escaped = text.replace("\\", "\\\\")
    double, single = escaped.replace('"', '\\"'), escaped.replace("'", "\\'")
    return st.sampled_from([f'"{double}"', f"'{single}'"])


NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-5", "99", "10.0", "1e1", "9.5", "48.137", "-33.9", "1433635200", "-180"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e308", "-1e999", ".5", "+3"]),
)
TEXTS = st.sampled_from(
    [
        "jpeg",
        "png",
        "/a/cat.jpg",
        "/a/100%_'x'.png",
        "/a/b\\c.gif",
        "",
        "/é",
        "exif",
        "Canon EOS 5D",
    ]
)
PATTERNS = st.sampled_from(
    ["%", "", "/a%", "%jpg", "%Cat%", "_a%", "/_/%", "%a%t%", "png", "%pixel%", "%日%", "%'%", "a"]
)


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, Verdict]:
    kind = draw(st.sampled_from(["number", "chain", "fields", "text", "in", "like", "tag"]))
    field, symbol = draw(st.sampled_from(NUMBER_FIELDS)), draw(st.sampled_from(list(COMPARE)))
    compare = COMPARE[symbol]
    if kind == "number":
        text = draw(NUMBERS)
        value = Fraction(text)
        return (
            f"{field} {symbol}{text}",
            lambda r: None if (n := number_of(r, field)) is None else compare(n, value),
        )
    if kind == "chain":
        low, high = draw(NUMBERS), draw(NUMBERS)
        return (
            f"{low} < {field} <= {high}",
            lambda r: (
                None if (n := number_of(r, field)) is None else Fraction(low) < n <= Fraction(high)
            ),
        )
    if kind == "fields":
        return f"width{symbol}height", lambda r: compare(r.width, r.height)
    if kind == "tag":
        label = draw(st.sampled_from(["cat", "dog", "a b", "x"]))
        return f"array_contains(tags, {draw(quoted(label))})", lambda r: label in r.tags
    name = draw(st.sampled_from(TEXT_FIELDS))
    if kind == "text":
        text = draw(TEXTS)
        return f"{name} {symbol} {draw(quoted(text))}", lambda r: compare(
            str(getattr(r, name)), text
        )
    negation, is_negated = draw(st.sampled_from([("", False), ("not ", True)]))
    if kind == "in":
        texts = draw(st.lists(TEXTS, min_size=1, max_size=3))
        listed = ",".join(draw(quoted(text)) for text in texts)
        return (
            f"{name} {negation}in [{listed}]",
            lambda r: (str(getattr(r, name)) in texts) != is_negated,
        )
    pattern = draw(PATTERNS)
    return (
        f"{name} {negation}like {draw(quoted(pattern))}",
        lambda r: like(pattern, str(getattr(r, name))) != is_negated,
    )


def combine(children: st.SearchStrategy[tuple[str, Verdict]]) -> st.SearchStrategy[Any]:
    def negation(part: tuple[str, Verdict]) -> tuple[str, Verdict]:
        text, verdict = part
        return f"not({text})", lambda r: None if (v := verdict(r)) is None else not v

    def junction(word: str, symbol: bool, parts: list[tuple[str, Verdict]]) -> tuple[str, Verdict]:
        joined = f" { ({'and': '&&', 'or': '||'}[word] if symbol else word) } "
        text = joined.join(f"({part})" for part, _ in parts)

        def verdict(record: ImageRecord) -> bool | None:
            verdicts = [part(record) for _, part in parts]
            decisive = word == "or"
            if decisive in verdicts:
                return decisive
            return None if None in verdicts else not decisive

        return text, verdict

    parts = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        children.map(negation),
        st.builds(junction, st.sampled_from(["and", "or"]), st.booleans(), parts),
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(comparisons(), combine, max_leaves=8))
def test_an_expression_selects_what_python_selects(
    images: Collection, case: tuple[str, Verdict]
) -> None:
    text, verdict = case
    expected = sorted(str(r.record.path) for r in ROWS if verdict(r.record) is True)
    assert found(images, text) == expected, text


WORDS = [*"()[]</01,%", "size", "width", "==", "not", "in", "like", "and", "or", "tags"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=30),
        st.text("(){}[]<>=!&|\"'\\ ,.0123456789eEnaNwidthsze", max_size=40),
        st.lists(
            st.sampled_from([*WORDS, "'a'", "{x}", "array_contains", "NaN", "true"]),
            max_size=9,
        ).map(" ".join),
    )
)
def test_any_text_selects_images_or_is_refused_with_a_position(
    images: Collection, text: str
) -> None:
    try:
        found(images, text)
    except UsageError as refusal:
        error = str(refusal)
    else:
        error = ""
    assert not error or re.search(r"character \d+|control characters", error)
    assert images.count() == len(ROWS)


@pytest.mark.parametrize(
    ("expression", "position", "fault"),
    [
        ("size > {x}", 8, "not understood"),
        ("size / 0 == 1", 6, "not understood"),
        ("width > 0) or (width > 0", 10, "expected and, or or the end"),
        ("(width > 0", 11, "expected )"),
        ("format = 'png'", 8, "not understood"),
        ("format == png", 11, "'png' is not a field; the fields are id, path"),
        ("format == 'png", 11, "the string does not end"),
        ("size > NaN", 8, "is not a field"),
        ("size > 'a'", 8, "size is compared with a number"),
        ("path > 1", 8, "path is compared with a string"),
        ("path == 'a\\n'", 11, "backslash"),
        ("tags == 'a'", 1, "array_contains"),
        ("size in []", 10, "expected a string or a number"),
        ("1 < 2", 5, "needs a field"),
        ("size", 5, "expected <"),
        ("width > latitude", 9, "cannot be compared"),
        ("size > " + "9" * 500, 8, "at most 400"),
        ("size > 1e9999", 8, "not understood"),
        ("(" * (MAX_DEPTH + 1) + "size > 1", MAX_DEPTH + 1, "within each other"),
        ("not " * 10_000 + "size > 1", 4 * MAX_DEPTH + 1, "within each other"),
        ("size > 1" + "1" * 90_000 + "x", 8, "not understood"),
        ("size > 1 or", 12, "expected a field"),
        ("taken_at > 2015", 12, 'write a date in quotes, "2015"'),
        ("2015 <= taken_at", 1, "seconds since 1970"),
        ("taken_at in [2015]", 14, "seconds since 1970"),
        ("taken_at > '2015-13'", 12, "is not a date"),
        ("taken_at == 'June'", 13, "is not a date: write 2015"),
    ],
)
def test_what_is_refused_is_named_with_its_position(
    expression: str, position: int, fault: str
) -> None:
    with pytest.raises(UsageError) as raised:
        Filters(expression=expression)
    assert f"character {position}," in str(raised.value)
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("taken_at >= '2015-06-07'", ["/é/Cat.jpg"]),
        ("taken_at > '2015-06-07'", []),
        ('"2015" <= taken_at < "2016"', ["/é/Cat.jpg"]),
        ("taken_at == '2015-06-07T00:00:00'", ["/é/Cat.jpg"]),
        ("taken_at in ['1900', '2015-6-7']", ['/"/x.jpg', "/é/Cat.jpg"]),
        ("taken_at < '1970'", ['/"/x.jpg']),
        ("not taken_at < '1970'", ["/é/Cat.jpg"]),
        ("taken_at >= 1433635200", ["/é/Cat.jpg"]),
    ],
)
def test_a_time_is_compared_with_dates_or_seconds(
    images: Collection, expression: str, paths: list[str]
) -> None:
    dated = [str(r.record.path) for r in ROWS if r.record.taken_at is not None]
    assert set(paths) <= set(dated)
    assert found(images, expression) == paths


@pytest.mark.parametrize(
    "expression",
    [
        " or ".join(f"width == {n}" for n in range(3_000)),
        "(" * 49 + "width == 1" + ")" * 49,
        "".join(f"(width > {n} {'and' if n % 2 else 'or'} " for n in range(45))
        + "width == 1"
        + ")" * 45,
        "path in [" + ",".join(f"'/{n}'" for n in range(5_000)) + "] or width == 1",
        "path like '" + "%a" * 5_000 + "' or width == 1",
        "array_contains_all(tags, [" + "'x', " * 500 + "'x']) or width == 1",
    ],
)
def test_a_large_expression_is_evaluated(images: Collection, expression: str) -> None:
    assert "/é/Cat.jpg" in found(images, expression)


def test_no_expression_leaves_its_parentheses(images: Collection) -> None:
    assert found(images, "width == 1 or width == 10", formats=("png",)) == []
    assert found(images, " \n ") == sorted(str(r.record.path) for r in ROWS)


def test_the_fields_are_those_of_the_store() -> None:
    assert set(FIELDS) == set(RECORD_FIELDS)
    assert set(NUMBER_FIELDS) == set(INTEGER_FIELDS)


def test_a_field_that_an_old_collection_lacks_is_refused(store: Store) -> None:
    with old_schema(version=2):
        old = store.create("older", MODEL)
    try:
        old.upsert([replace(r, record=replace(r.record, tags=())) for r in ROWS])
        assert found(old, "width > height") == [
            '/"/x.jpg',
            "/a/100%_'x'.png",
            "/z",
            "/é/日.jpg",
        ]
        for expression, filters in (
            ("latitude > 1", {}),
            ("not camera == 'x'", {}),
            ("", {"near": (0, 0, 1)}),
            ("", {"camera": "canon"}),
        ):
            with pytest.raises(StoreError, match=r"before there was '(latitude|camera)'"):
                found(old, expression, **filters)
        [record] = old.scan('path == "/z"')
        assert (record.camera, record.latitude, record.taken_from) == ("", None, "")
    finally:
        store.drop("older")


def test_paths_are_compared_as_they_are_stored(images: Collection) -> None:
    assert found(images, "path == '/é/日.jpg'", under=Path("/é")) == ["/é/日.jpg"]
