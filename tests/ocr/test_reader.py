"""The reader of the extra `[ocr]`, on images that are drawn here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from clipsearch.errors import UsageError
from clipsearch.fonts import PLAIN_FONTS, load_font
from clipsearch.ocr import model_files, rapid_reader
from clipsearch.ocr.detection import TextDetector
from clipsearch.ocr.quads import Pixels
from clipsearch.ocr.reader import TextReader, load_reader


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return load_reader()


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in PLAIN_FONTS:
        try:
            return load_font(name, size)
        except OSError:
            continue
    raise AssertionError("Pillow has a font of its own")


def draw(
    *lines: str, size: int = 24, width: int = 480, height: int = 240, mode: str = "RGB"
) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((16, 16 + row * 2 * size), line, "black", font(size))
    return image.convert(mode)


def test_words_are_read_in_their_order(reader: TextReader) -> None:
    text = reader.read(draw("Invoice 20417", "Total 12.95"))
    assert [line.text for line in text.lines] == ["Invoice 20417", "Total 12.95"]
    assert text.reader == reader.name
    assert all(line.confidence > 0.9 for line in text.lines)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_boxes_start_where_the_text_starts(reader: TextReader, degrees: int) -> None:
    turns = {
        90: Image.Transpose.ROTATE_270,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_90,
    }
    image = draw("Kitchen window", "Apple pie")
    text = reader.read(image.transpose(turns[degrees]) if degrees else image)
    assert [line.text for line in text.lines] == ["Kitchen window", "Apple pie"]
    x, y = text.lines[0].box[:2]
    start = {0: (0.03, 0.1), 90: (0.9, 0.03), 180: (0.97, 0.9), 270: (0.1, 0.97)}[degrees]
    assert np.hypot(x - start[0], y - start[1]) < 0.1


def test_equal_pixels_give_equal_texts(reader: TextReader) -> None:
    image = draw("Exhibition", "RE16 TGK")
    assert reader.read(image) == reader.read(image.copy())


def test_a_line_at_the_seam_of_two_blocks_is_whole_and_read_once(reader: TextReader) -> None:
    image = draw(width=2600, height=1500)
    pen = ImageDraw.Draw(image)
    for y in (500, 1012, 1018, 1300):
        if y != 1012:
            pen.text((900, y), "strawberry pharmacy delivery", "black", font(18))
    lines = [line.text for line in reader.read(image).lines]
    assert lines == ["strawberry pharmacy delivery"] * 3


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (31, 33), (4000, 20), (20, 4000)])
def test_images_of_any_size_are_read(reader: TextReader, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(96, 160, (size[1], size[0], 3), dtype=np.uint8)
    assert reader.read(Image.fromarray(noise)).lines == ()


def test_blocks_of_one_color_are_not_searched(
    reader: TextReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = draw("Pharmacy", width=2000, height=2000)
    searched: list[int] = []
    real = TextDetector.probabilities

    def spy(detector: TextDetector, pixels: Pixels) -> NDArray[np.float32]:
        searched.append(pixels.size)
        return real(detector, pixels)

    monkeypatch.setattr(TextDetector, "probabilities", spy)
    assert [line.text for line in reader.read(page).lines] == ["Pharmacy"]
    assert len(searched) == 2  # of 20: coarsely and finely around the word
    searched.clear()
    assert reader.read(Image.new("RGB", (2000, 2000), "white")).lines == ()
    assert not searched


def test_large_images_are_scaled_down(reader: TextReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapid_reader, "MAX_PIXELS", 100_000)
    image = draw("Pharmacy", size=64, width=1600, height=900)
    assert rapid_reader.to_pixels(image).size <= 3 * 100_000
    assert [line.text for line in reader.read(image).lines] == ["Pharmacy"]


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_images_of_any_mode_are_read(reader: TextReader, mode: str) -> None:
    image = draw("Pharmacy", size=32)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    else:
        image = image.convert(mode)
    assert [line.text for line in reader.read(image).lines] == ["Pharmacy"]


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"^.*pip install 'clipsearch\[ocr\]'$"):
        load_reader()


def test_a_model_that_is_missing_is_an_error_and_not_a_download(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is downloaded"):
        load_reader("klingon")
    with pytest.raises(UsageError, match=r"no \*rec\*\.onnx"):
        load_reader(str(tmp_path))


def test_a_folder_of_models_is_used(tmp_path: Path, reader: TextReader) -> None:
    files = model_files.find_model_files()
    (tmp_path / "rec.onnx").symlink_to(files.recognition)
    own = load_reader(str(tmp_path))
    assert own.name != reader.name
    assert own.read(draw("Pharmacy", size=32)).lines == reader.read(draw("Pharmacy", size=32)).lines


def damage(folder: Path, files: model_files.ModelFiles) -> Iterator[tuple[str, str]]:
    """Yield the message about each folder of models that do not work, with what is in it."""
    model = folder / "rec.onnx"
    model.write_bytes(b"no model")
    yield "garbage", "cannot be read"
    model.write_bytes(files.recognition.read_bytes()[:3_000_000])
    yield "truncated", "cannot be read"
    model.write_bytes(files.orientation.read_bytes())
    yield "orientation", "is a model of another kind"
    model.write_bytes(files.recognition.read_bytes())
    (folder / "characters.txt").write_text("a\nb\n")
    yield "few characters", "18,710 classes, but 2 characters are known"
    (folder / "characters.txt").write_bytes(b"\xff")
    yield "no UTF-8", "is not in UTF-8"
    (folder / "characters.txt").unlink()
    (folder / "det.onnx").write_bytes(b"")
    yield "empty", "det.onnx (cannot|does not|is a)"


def test_models_that_do_not_work_are_told_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for what, message in damage(tmp_path, model_files.find_model_files()):
        with pytest.raises(UsageError, match=f"^--ocr-model .*{message}") as raised:
            load_reader(str(tmp_path))
        assert "\n" not in str(raised.value), what
    assert capfd.readouterr().err == ""
