"""Which font draws which character."""

import logging
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, features

from clipsearch.fonts import EMOJI_FONTS, has_glyphs
from clipsearch.render import font_choice
from clipsearch.render.font_choice import choose_font, fonts_of
from clipsearch.render.font_stack import FontStack


@pytest.fixture
def fonts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Fonts by name with their characters, and nothing else on this machine."""
    found = {
        "plain.ttf": "abc.",
        "emoji.ttf": "😀👨👧❤🇩🇪♂",
        "Serif.ttf": "日本",
        "Sans.ttf": "日本語",
    }
    monkeypatch.setattr(
        font_choice,
        "has_glyphs",
        lambda font, text: str(font) in found and text in found[str(font)],
    )
    monkeypatch.setattr(font_choice, "SCRIPT_FONTS", ())
    monkeypatch.setattr(font_choice, "EMOJI_FONTS", ("emoji.ttf",))
    monkeypatch.setattr(font_choice, "find_fonts", lambda: (Path("Serif.ttf"), Path("Sans.ttf")))
    monkeypatch.setattr(font_choice, "_system_fonts", {})
    font_choice._font_for.cache_clear()
    return found


def test_fonts_of_the_system_draw_what_the_named_ones_lack(
    fonts: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert list(map(str, fonts_of("a日語.", "plain.ttf"))) == [
        "plain.ttf",
        "Sans.ttf",
        "Sans.ttf",
        "plain.ttf",
    ]
    assert caplog.text == ""
    font_choice._font_for.cache_clear()


def test_an_emoji_of_several_characters_has_one_font(fonts: dict[str, str]) -> None:
    for text in ("👨\u200d👧", "👨🏽\u200d♂\ufe0f", "🇩🇪", "❤\ufe0f"):
        assert set(map(str, fonts_of(text, "plain.ttf"))) == {"emoji.ttf"}
    font_choice._font_for.cache_clear()


def test_a_script_without_a_font_is_named_once(
    fonts: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "clipsearch")
    for _ in range(2):
        assert fonts_of("हिन्दी", "plain.ttf") == ["plain.ttf"] * 6
        assert fonts_of("🦄🦊", "plain.ttf") == ["plain.ttf"] * 2
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert "Devanagari characters" in warnings[0]
    assert "emoji characters" in warnings[1]
    font_choice._font_for.cache_clear()


def drawn(text: str) -> Image.Image:
    image = Image.new("RGB", (400, 60), "white")
    FontStack(30, choose_font(text)).draw(ImageDraw.Draw(image), (5, 40), text, "black")
    return image


@pytest.mark.parametrize("text", ["日本", "한국", "שלום", "مرحبا", "हिन्दी", "ไทย"])
def test_scripts_are_drawn_with_the_fonts_of_this_machine(text: str) -> None:
    font = fonts_of(text, choose_font(text))[0]
    if not has_glyphs(font, text[0]):
        pytest.skip(f"no font of this machine has {text}")
    assert drawn(text).tobytes() != drawn("\U0010fffe" * len(text)).tobytes()
    ink = drawn(text).convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert ink is not None
    assert ink[2] - 5 == pytest.approx(FontStack(30, choose_font(text)).width(text), abs=6)


def test_arabic_letters_are_joined_and_run_from_right_to_left() -> None:
    if not features.check("raqm") or not has_glyphs(choose_font("ب"), "ب"):
        pytest.skip("needs libraqm and a font with Arabic letters")
    stack = FontStack(30, choose_font("ب"))
    assert stack.width("ببب") < 3 * stack.width("ب") - 10
    shown = drawn("اببب").convert("L")  # the tall alif comes first, so it stands on the right
    tall = shown.crop((0, 0, 400, 25)).point(lambda value: 255 * (value < 128)).getbbox()
    whole = shown.point(lambda value: 255 * (value < 128)).getbbox()
    assert tall is not None
    assert whole is not None
    assert tall[0] > (whole[0] + whole[2]) / 2


def test_emoji_are_drawn_in_color_at_the_size_of_the_text() -> None:
    if not any(has_glyphs(font, "😀") for font in EMOJI_FONTS[:3]):
        pytest.skip("no font of this machine has emoji in color")
    image = drawn("😀")
    colors = {color for _, color in image.getcolors(1 << 16) or []}
    assert any(max(color) - min(color) > 60 for color in colors)  # type: ignore[arg-type]
    assert 25 < FontStack(30).width("😀") < 50
