"""Contact sheets as pictures, and how their files are written."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.render import text_image
from clipsearch.render.contact_sheet import sheet_image, write_sheet
from clipsearch.render.section import Section
from clipsearch.render.text_image import Lettering, plain_font
from tests.render.test_table import hit_of

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """A wide red and a high blue picture."""
    files = [tmp_path / "wide.png", tmp_path / "high.png"]
    Image.new("RGB", (400, 200), RED).save(files[0])
    Image.new("RGB", (200, 400), BLUE).save(files[1])
    return files


def close(pixel: object, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - color).max() <= 3)


def test_pictures_are_whole_and_where_the_grid_says(photos: list[Path]) -> None:
    hits = [hit_of(photos[index % 2], 0.3, 2.0) for index in range(5)]
    sheet = np.asarray(sheet_image([Section("five", hits)], columns=3, cell=110))
    gap = 10
    assert sheet.shape[1] == 3 * 110 + 2 * gap + 4 * gap  # cells, gaps, margins
    reds = np.argwhere((np.abs(sheet.astype(int) - RED) <= 3).all(axis=2))
    blues = np.argwhere((np.abs(sheet.astype(int) - BLUE) <= 3).all(axis=2))
    assert len(reds) == pytest.approx(3 * 110 * 55, rel=0.02)
    assert len(blues) == pytest.approx(2 * 110 * 55, rel=0.02)
    assert reds[:, 1].min() == 2 * gap
    assert reds[:, 1].max() == 2 * gap + 3 * 110 + 2 * gap - 1


def test_each_section_adds_its_height(photos: list[Path]) -> None:
    one = Section("one", [hit_of(photos[0])])
    heights = [sheet_image([one] * count, cell=64).height for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 64


def test_a_query_picture_comes_first_and_framed(photos: list[Path]) -> None:
    section = Section("like this", [hit_of(photos[0])], queries=[photos[1]])
    sheet = np.asarray(sheet_image([section], cell=110)).astype(int)
    reds = np.argwhere((np.abs(sheet - RED) <= 3).all(axis=2))
    blues = np.argwhere((np.abs(sheet - BLUE) <= 3).all(axis=2))
    assert blues[:, 1].max() < reds[:, 1].min()
    plain = np.asarray(sheet_image([Section("like this", [hit_of(photos[1])])], cell=110))
    top = blues[:, 0].min() - 3
    assert not close(sheet[top, 75], (255, 255, 255))
    assert close(plain[top, 75], (255, 255, 255))


def test_files_that_cannot_be_read_become_grey_cells(photos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    hits = [hit_of(tmp_path / "gone.jpg"), hit_of(broken), hit_of(photos[0])]
    sheet = np.asarray(sheet_image([Section("some", hits)], columns=3, cell=110)).astype(int)
    assert (np.abs(sheet - RED) <= 3).all(axis=2).sum() == pytest.approx(110 * 55, rel=0.02)
    greys = (np.abs(sheet[:, 20:130] - (241, 241, 240)) <= 1).all(axis=2).sum()
    assert 0.7 * 110 * 110 < greys < 110 * 110  # not all: the reason stands in it


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
def test_any_title_is_drawn_without_widening_the_sheet(title: str, photos: list[Path]) -> None:
    plain = sheet_image([Section("plain", [hit_of(photos[0])])], cell=64)
    assert sheet_image([Section(title, [hit_of(photos[0])])], cell=64).size == plain.size


def test_sheets_of_nothing_are_drawn() -> None:
    assert sheet_image([]).width == sheet_image([Section("nothing", [])]).width


@pytest.mark.parametrize("size", [{"columns": 0}, {"cell": 8}])
def test_impossible_sizes_are_refused(size: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="a sheet needs"):
        sheet_image([], **size)


def test_a_font_that_has_the_characters_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    english, greek = "english.ttf", "greek.ttf"
    have = {english: "abc ", greek: "abc λ"}
    monkeypatch.setattr(text_image, "_PLAIN", (english, greek))
    monkeypatch.setattr(text_image, "_present", lambda name: name in have)
    monkeypatch.setattr(text_image, "_covers", lambda name, character: character in have[name])
    assert plain_font("a b c") == english
    assert plain_font("a λ") == greek


def test_without_the_accented_letter_the_plain_one_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_image, "_covers", lambda name, character: character.isascii())
    assert Lettering(20).width("été") == Lettering(20).width("ete")


def test_lettering_measures_what_it_draws() -> None:
    letters = Lettering(20)
    assert letters.width("") == 0
    assert letters.width("ab") == pytest.approx(letters.width("a") + letters.width("b"), abs=2)


@pytest.mark.parametrize(
    ("name", "kind"), [("s.png", "PNG"), ("s.JPG", "JPEG"), ("s.jpeg", "JPEG"), ("s.webp", "WEBP")]
)
def test_the_suffix_chooses_the_format(
    name: str, kind: str, photos: list[Path], tmp_path: Path
) -> None:
    section = Section("one", [hit_of(photos[0])])
    write_sheet(tmp_path / name, [section])
    with Image.open(tmp_path / name) as written:
        assert written.format == kind
        assert written.size == sheet_image([section]).size


def test_other_suffixes_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sheet\.pdf.*\.png.*\.html"):
        write_sheet(tmp_path / "sheet.pdf", [])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*no such file"):
        write_sheet(tmp_path / "nowhere" / "sheet.png", [])


def test_a_sheet_too_long_for_webp_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
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
    with pytest.raises(UsageError, match="no space left"):
        write_sheet(old, [])
    assert old.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="modes are Unix's")
def test_a_sheet_gets_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_sheet(tmp_path / "sheet.png", [])
    assert (tmp_path / "sheet.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_real_photos_fill_their_cells(shared_data: Path) -> None:
    files = sorted((shared_data / "coco" / "images").glob("*.jpg"))[:5]
    sheet = np.asarray(sheet_image([Section("five", [hit_of(file) for file in files])], cell=66))
    for column in range(5):
        left = 12 + column * 72
        cell = sheet[:, left : left + 66]
        assert cell.reshape(-1, 3).std(axis=0).min() > 20
