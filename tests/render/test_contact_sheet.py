"""Contact sheets as images, and how their files are image."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import OutputError, UsageError
from clipsearch.render.contact_sheet import draw_sheet, write_sheet
from clipsearch.render.result_section import Section
from tests.helpers.hits import make_hit

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """A wide red and a high blue image."""
    files = [tmp_path / "wide.png", tmp_path / "high.png"]
    Image.new("RGB", (400, 200), RED).save(files[0])
    Image.new("RGB", (200, 400), BLUE).save(files[1])
    return files


def close(pixel: object, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - color).max() <= 3)


def test_images_are_complete_and_placed_on_the_grid(images: list[Path]) -> None:
    hits = [make_hit(images[index % 2], 0.3, 2.0) for index in range(5)]
    sheet = np.asarray(draw_sheet([Section("five", hits)], columns=3, tile_size=110))
    gap = 10
    assert sheet.shape[1] == 3 * 110 + 2 * gap + 4 * gap  # cells, gaps, margins
    reds = np.argwhere((np.abs(sheet.astype(int) - RED) <= 3).all(axis=2))
    blues = np.argwhere((np.abs(sheet.astype(int) - BLUE) <= 3).all(axis=2))
    assert len(reds) == pytest.approx(3 * 110 * 55, rel=0.02)
    assert len(blues) == pytest.approx(2 * 110 * 55, rel=0.02)
    assert reds[:, 1].min() == 2 * gap
    assert reds[:, 1].max() == 2 * gap + 3 * 110 + 2 * gap - 1


def test_each_section_adds_its_height(images: list[Path]) -> None:
    one = Section("one", [make_hit(images[0])])
    heights = [draw_sheet([one] * count, tile_size=64).height for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 64


def test_an_image_query_comes_first_in_a_frame(images: list[Path]) -> None:
    section = Section("like this", [make_hit(images[0])], queries=[images[1]])
    sheet = np.asarray(draw_sheet([section], tile_size=110)).astype(int)
    reds = np.argwhere((np.abs(sheet - RED) <= 3).all(axis=2))
    blues = np.argwhere((np.abs(sheet - BLUE) <= 3).all(axis=2))
    assert blues[:, 1].max() < reds[:, 1].min()
    plain = np.asarray(draw_sheet([Section("like this", [make_hit(images[1])])], tile_size=110))
    top = blues[:, 0].min() - 3
    assert not close(sheet[top, 75], (255, 255, 255))
    assert close(plain[top, 75], (255, 255, 255))


def test_unreadable_files_become_gray_tiles(images: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not an image")
    hits = [make_hit(tmp_path / "gone.jpg"), make_hit(broken), make_hit(images[0])]
    sheet = np.asarray(draw_sheet([Section("some", hits)], columns=3, tile_size=110)).astype(int)
    assert (np.abs(sheet - RED) <= 3).all(axis=2).sum() == pytest.approx(110 * 55, rel=0.02)
    grays = (np.abs(sheet[:, 20:130] - (241, 241, 240)) <= 1).all(axis=2).sum()
    assert 0.7 * 110 * 110 < grays < 110 * 110  # not all: it holds the reason


@pytest.mark.parametrize(
    "title",
    [
        "",
        "x" * 500,
        "夜の街 🌃 été Ночь ليل नमस्ते",
        "\x1b[31m\n\u202e",
        "caf\udce9",
        "e\u0301\u0301",
    ],
)
def test_any_title_is_drawn_without_widening_the_sheet(title: str, images: list[Path]) -> None:
    plain = draw_sheet([Section("plain", [make_hit(images[0])])], tile_size=64)
    assert draw_sheet([Section(title, [make_hit(images[0])])], tile_size=64).size == plain.size


def test_sheets_of_nothing_are_drawn() -> None:
    assert draw_sheet([]).width == draw_sheet([Section("nothing", [])]).width


@pytest.mark.parametrize("size", [{"columns": 0}, {"tile_size": 8}])
def test_impossible_sizes_raise_an_error(size: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="a contact sheet needs"):
        draw_sheet([], **size)


@pytest.mark.parametrize(
    ("name", "kind"), [("s.png", "PNG"), ("s.JPG", "JPEG"), ("s.jpeg", "JPEG"), ("s.webp", "WEBP")]
)
def test_the_suffix_chooses_the_format(
    name: str, kind: str, images: list[Path], tmp_path: Path
) -> None:
    section = Section("one", [make_hit(images[0])])
    write_sheet(tmp_path / name, [section])
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        assert image.size == draw_sheet([section]).size


def test_other_suffixes_raise_an_error_with_the_file_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sheet\.pdf.*\.png.*\.html"):
        write_sheet(tmp_path / "sheet.pdf", [])


def test_the_error_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*no such file"):
        write_sheet(tmp_path / "nowhere" / "sheet.png", [])


def test_a_sheet_too_high_for_webp_raises_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    rows = [Section(str(number), []) for number in range(170)]
    with pytest.raises(UsageError, match=r"sheet\.webp.*16,383"):
        write_sheet(tmp_path / "sheet.webp", rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["sheet.png", "sheet.html"])
def test_a_failed_write_keeps_the_old_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / name
    old.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="no space left"):
        write_sheet(old, [])
    assert old.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="modes are Unix's")
def test_a_sheet_gets_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_sheet(tmp_path / "sheet.png", [])
    assert (tmp_path / "sheet.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_real_images_fill_their_tiles(shared_data: Path) -> None:
    files = sorted((shared_data / "coco" / "images").glob("*.jpg"))[:5]
    sheet = np.asarray(
        draw_sheet([Section("five", [make_hit(file) for file in files])], tile_size=66)
    )
    for column in range(5):
        left = 12 + column * 72
        tile = sheet[:, left : left + 66]
        assert tile.reshape(-1, 3).std(axis=0).min() > 20
