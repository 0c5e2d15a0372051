from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import MissingFieldError, UsageError
from clipsearch.query.condition import select, select_rows
from clipsearch.query.expression_condition import expression_condition, matches_expression
from clipsearch.query.expression_parser import parse_expression
from clipsearch.query.filters import Filters
from clipsearch.records import Metadata
from clipsearch.store import Collection, Store
from tests.helpers.records import MODEL, many, old_schema

VALUES: list[Metadata] = [
    {},
    {"license": "cc0", "score": 1, "is_safe": True},
    {"license": "by", "score": 1.5, "is_safe": False, "aspect ratio": "wide"},
    {"license": "by-sa", "score": -3, "is_safe": "true"},
    {"license": 1, "score": "1", "is_safe": 1},
    {"license": "", "score": 0.1},
    {"license": 'a "b" \\ä%_', "score": 2**53, "exif.iso": 100},
    {"license": "Cc0", "score": 1e300, "ä": "umlaut"},
    {"license": "line\nbreak", "score": 0},
]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with Store.open(tmp_path_factory.mktemp("metadata") / "images.db", create=True) as store:
        images = store.create("images", MODEL)
        rows = zip(many(len(VALUES)), VALUES, strict=True)
        images.upsert(
            [replace(row, record=replace(row.record, metadata=values)) for row, values in rows]
        )
        images.finish_writes()
        yield images


def matching(collection: Collection, expression: str) -> list[int]:
    rows = select_rows(collection, Filters(expression=expression))
    return sorted(int(row.record.path.stem) for row in rows)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('metadata.license == "cc0"', [1]),
        ('metadata["license"] in ["cc0", "by"]', [1, 2]),
        ('metadata.license like "by%"', [2, 3]),
        ('metadata.license like "%sa"', [3]),
        ('metadata.license != "cc0"', [2, 3, 5, 6, 7, 8]),
        ('not (metadata.license == "cc0")', [2, 3, 5, 6, 7, 8]),
        ('not metadata.license like "by%"', [1, 5, 6, 7, 8]),
        ("metadata.score == 1", [1]),
        ("metadata.score == 0.1", [5]),
        ("metadata.score >= 1.5", [2, 6, 7]),
        ("metadata.score < 0", [3]),
        ("-3 <= metadata.score < 1", [3, 5, 8]),
        ("metadata.is_safe == true", [1]),
        ("metadata.is_safe != true", [2]),
        ("metadata.license == 1", [4]),
        ('metadata["aspect ratio"] == "wide"', [2]),
        ('metadata["ä"] == "umlaut"', [7]),
        ("metadata [ 'ä' ] == \"umlaut\"", [7]),
        ("metadata.exif.iso == 100", [6]),
        ('metadata.license == "by" and width == 640', [2]),
        ('metadata.license in ["cc0", 1]', [1, 4]),
        ("metadata.missing != 5", []),
    ],
)
def test_expressions(collection: Collection, expression: str, expected: list[int]) -> None:
    assert matching(collection, expression) == expected
    node = parse_expression(expression)
    assert node is not None
    records = {int(record.path.stem): record for record in collection.scan()}
    assert [n for n in sorted(records) if matches_expression(node, records[n])] == expected


names = st.sampled_from(["license", "score", "is_safe", '"aspect ratio"', '"ä"', "exif.iso"])
values = st.one_of(
    st.sampled_from(['"cc0"', '"by"', '"true"', "'a \"b\"'", '""', "true", "false"]),
    st.integers(-5, 5).map(str),
    st.sampled_from(["0.1", "1.5", "-2.25", "9007199254740992", "1e300", "1e999"]),
)
fields = names.map(lambda name: f"metadata[{name}]" if name.startswith('"') else f"metadata.{name}")
comparisons = st.builds(
    lambda field, operator, value: f"{field} {operator} {value}",
    fields,
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    values,
)


@settings(max_examples=150)
@given(comparisons, comparisons, st.sampled_from(["and", "or", "and not", "or not"]))
def test_the_store_selects_what_the_records_say(
    collection: Collection, left: str, right: str, word: str
) -> None:
    expression = f"{left} {word} {right}"
    try:
        node = parse_expression(expression)
    except UsageError:
        assert "true" in expression or "false" in expression
        return
    assert node is not None
    condition = expression_condition(node)
    expected = {record.id for record in collection.scan() if matches_expression(node, record)}
    if condition is not None:
        assert {record.id for record in collection.scan(condition)} == expected
    assert {row.record.id for row in select_rows(collection, Filters(expression=expression))} == (
        expected
    )


@pytest.mark.parametrize(
    "expression",
    [
        "metadata == 1",
        "metadata. == 1",
        "metadata[1] == 1",
        'metadata["a\\n"] == 1',
        "metadata.a < true",
        "metadata.a > metadata.b",
        "taken_at == true",
        "path in [true]",
    ],
)
def test_what_cannot_be_compared_is_refused(expression: str) -> None:
    with pytest.raises(UsageError):
        parse_expression(expression)


def test_an_older_collection_says_that_it_has_no_metadata(tmp_path: Path) -> None:
    with old_schema(version=4), Store.open(tmp_path / "old.db", create=True) as store:
        images = store.create("images", MODEL)
        images.upsert(many(2))
        images.finish_writes()
        with pytest.raises(MissingFieldError, match="before there was 'metadata'"):
            select(Filters(expression='metadata.license == "cc0"'), images)
