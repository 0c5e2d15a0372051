"""Texts of the catalog that are longer than a value."""

from collections.abc import Iterator

import pytest

from clipsearch.errors import DamagedStoreError
from clipsearch.store import Collection, long_text


@pytest.fixture(autouse=True)
def always_read(monkeypatch: pytest.MonkeyPatch, collection: Collection) -> Iterator[None]:
    monkeypatch.setattr(long_text, "RECENT_SECONDS", -1)
    yield
    collection.calibration.write(None)  # other tests use the same store


@pytest.mark.parametrize("length", [0, 1, 59_999, 60_000, 60_001, 500_000])
def test_a_text_comes_back(collection: Collection, length: int) -> None:
    text = ("abcdefghij" * (length // 10 + 1))[:length]
    collection.calibration.write(text)
    assert collection.calibration.read() == text


def test_a_text_is_replaced_and_removed(collection: Collection) -> None:
    stored = collection.calibration
    assert stored.read() is None
    stored.write("a" * 200_000)
    stored.write("b" * 70_000)
    assert stored.read() == "b" * 70_000
    assert len(collection._catalog._values.read("calibration/")) == 3  # a head and two parts
    stored.write("b" * 70_000)
    assert stored.read() == "b" * 70_000
    stored.write(None)
    assert stored.read() is None


def test_a_missing_part_is_an_error(collection: Collection) -> None:
    stored = collection.calibration
    stored.write("a" * 200_000)
    values = collection._catalog._values
    values.delete([next(key for key in values.read("calibration/") if key.endswith("/1"))])
    with pytest.raises(DamagedStoreError):
        stored.read()
