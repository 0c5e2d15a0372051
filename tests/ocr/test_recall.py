"""A small version of `python -m benchmarks.ocr`: words of known size are read as written."""

import pytest

from benchmarks.ocr.canvas import FontChoice
from benchmarks.ocr.kinds import SampleMaker
from benchmarks.ocr.measure import Counts, measure
from clipsearch.ocr.reader import TextReader, load_reader

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return load_reader()


@pytest.fixture(scope="module")
def maker() -> SampleMaker:
    return SampleMaker([], FontChoice())  # generated backgrounds, fonts of this machine


def read(reader: TextReader, maker: SampleMaker, kind: str, *numbers: int) -> Counts:
    return measure(reader, (maker.make(kind, number) for number in numbers))


@pytest.mark.parametrize("kind", ["photograph, 1024 px", "photograph, 90°", "receipt", "plate"])
def test_words_of_18_pixels_and_more_are_read(
    reader: TextReader, maker: SampleMaker, kind: str
) -> None:
    counts = read(reader, maker, kind, 1, 2, 6, 7)
    assert sum(counts.written.values()) >= 20
    assert counts.recall(18) >= 0.95, counts.missed


@pytest.mark.parametrize("kind", ["photograph, 1024 px", "page", "page, 270°"])
def test_words_of_12_pixels_are_read(reader: TextReader, maker: SampleMaker, kind: str) -> None:
    numbers = (0,) if "page" in kind else (0, 5, 10)
    counts = read(reader, maker, kind, *numbers)
    assert sum(counts.written.values()) >= 20
    assert counts.recall() >= 0.85, counts.missed
    assert counts.precision >= 0.85, counts.invented


@pytest.mark.parametrize("language", ["german", "french", "polish", "turkish"])
def test_languages_with_latin_letters_are_read(
    reader: TextReader, maker: SampleMaker, language: str
) -> None:
    counts = read(reader, maker, f"page, {language}", 3)
    assert sum(counts.written.values()) >= 10
    assert counts.recall() >= 0.9, counts.missed


def test_generated_images_without_text_show_hardly_any(
    reader: TextReader, maker: SampleMaker
) -> None:
    counts = read(reader, maker, "blank", *range(1, 13))
    assert counts.false <= 4, counts.invented  # edges that look like l or 一
    assert all(len(word) <= 2 for word in counts.invented), counts.invented
