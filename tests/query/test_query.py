"""Queries and filters as Python callers give them."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.query import Filters, Query, StoredImage, Term

Wrong = Callable[[Any], Any]


@pytest.mark.parametrize(
    "terms", ["red", Term("red"), ["red"], (term for term in ["red"]), (Term("red"),)]
)
def test_one_term_needs_no_tuple(terms: Any) -> None:
    assert Query(terms).terms == (Term("red"),)


def test_numbers_of_numpy_are_plain_numbers() -> None:
    query = Query(
        (Term("red", np.float32(2)),),  # type: ignore[arg-type]
        limit=np.int64(3),  # type: ignore[arg-type]
        min_z=np.float16(1.5),  # type: ignore[arg-type]
        max_textness=np.int8(1),  # type: ignore[arg-type]
    )
    numbers = (query.terms[0].weight, query.limit, query.min_z, query.max_textness)
    assert numbers == (2.0, 3, 1.5, 1.0)
    assert [type(number) for number in numbers] == [float, int, float, float]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("limit", 0, "at least 1"),
        ("limit", 99_999, "at most 16,384"),
        ("limit", 2.5, "whole number"),
        ("limit", True, "whole number"),
        ("limit", "5", "whole number"),
        ("limit", np.ones(3, int), "whole number"),
        ("offset", -1, "0 or more"),
        ("offset", 16_380, "at most 16,384"),
        ("max_textness", 7, "from 0 to 1"),
        ("max_textness", float("nan"), "finite"),
        ("min_z", 10**400, "finite"),
        ("min_score", "0.3", "finite number"),
        ("textness", 10**400, "finite"),
        ("textness", "on", "'off'"),
        ("filters", {"tags": "cat"}, "Filters"),
        ("terms", 5, "an image must be"),
        ("terms", (), "empty"),
    ],
)
def test_a_wrong_value_is_a_usage_error(field: str, value: object, message: str) -> None:
    values: dict[str, Any] = {"terms": (Term("red"),), field: value}
    with pytest.raises(UsageError, match=message):
        Query(**values)


def test_a_number_of_any_length_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="digits"):
        Query((Term("red"),), limit=10**5000)


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3)
)


@given(
    st.sampled_from(["terms", "limit", "offset", "min_score", "min_z", "textness", "max_textness"]),
    ANYTHING | st.lists(ANYTHING, max_size=2),
)
def test_no_value_is_another_error(field: str, value: object) -> None:
    values: dict[str, Any] = {"terms": (Term("red"),), field: value}
    with contextlib.suppress(ClipsearchError):  # anything else fails the test
        query = Query(**values)
        assert 1 <= query.limit <= 16_384


def test_a_single_tag_is_one_tag_and_not_its_letters() -> None:
    names: Any = "cat"
    assert Filters(tags=names).tags == ("cat",)
    names = iter(["jpg"])
    assert Filters(formats=names).formats == ("jpeg",)
    assert Filters(under="photos").under == Path("photos")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"tags": 5},
        {"tags": [b"cat"]},
        {"under": 5},
        {"min_width": "wide"},
        {"min_bytes": 10**400},
        {"formats": {"jpg": 1}},
    ],
)
def test_a_wrong_filter_is_a_usage_error(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Filters(**values)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_an_array_is_an_image(shape: tuple[int, ...]) -> None:
    content: Any = Term(np.full(shape, 7, np.uint8)).content  # type: ignore[arg-type]
    assert isinstance(content, Image.Image)
    assert content.size == (6, 4)


@pytest.mark.parametrize(
    "image",
    [
        np.ones((4, 6, 3)),
        np.ones((0, 6, 3), np.uint8),
        np.ones((3, 4, 6), np.uint8),
        np.ones(4, np.uint8),
        b"no image",
        object(),
        {"path": "a.jpg"},
    ],
)
def test_what_is_not_an_image_is_an_error_of_ours(image: Any) -> None:
    with pytest.raises(ClipsearchError, match="image"):
        Term(image)


def test_an_image_of_the_collection_is_given_by_id_or_path() -> None:
    assert StoredImage("1f00c0").path is None
    assert StoredImage(path=Path("a.jpg")).id == ""
