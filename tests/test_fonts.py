"""Fonts: where they are found, their families and their characters."""

from pathlib import Path

import pytest

from clipsearch.fonts import font_family, has_glyphs
from clipsearch.textness import find_fonts


def test_fonts_are_found_in_the_users_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    assert find_fonts() == ()
    for name in ("share/fonts/deep/B.ttf", "own/fonts/A.otf", ".fonts/C.TTC"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("share/fonts/NotoColorEmoji.ttf", "share/fonts/readme.txt"):
        (tmp_path / name).touch()
    assert {path.name for path in find_fonts()} == {"A.otf", "B.ttf", "C.TTC"}


def test_weights_and_slants_belong_to_one_family() -> None:
    names = ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf", "Inter[wght].ttf", "Noto Sans.ttc")
    families = [font_family(Path(name)) for name in names]
    assert families[0] == families[1]
    assert len(set(families)) == 3


def test_the_built_in_face_has_english_letters_and_no_others() -> None:
    assert has_glyphs(None, "Gate 7: $12.50")
    assert not has_glyphs(None, "東京")
