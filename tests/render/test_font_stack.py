"""Text drawn into images."""

import pytest

from clipsearch.render import font_choice, font_stack
from clipsearch.render.font_stack import FontStack, choose_font


def test_a_font_that_has_the_characters_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    english, greek = "english.ttf", "greek.ttf"
    have = {english: "abc ", greek: "abc λ"}
    monkeypatch.setattr(font_choice, "PLAIN_FONTS", (english, greek))
    monkeypatch.setattr(font_choice, "_is_installed", lambda name: name in have)
    monkeypatch.setattr(font_choice, "has_glyphs", lambda name, character: character in have[name])
    assert choose_font("a b c") == english
    assert choose_font("a λ") == greek


def test_without_the_accented_letter_the_plain_one_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (font_choice, font_stack):
        monkeypatch.setattr(module, "has_glyphs", lambda name, character: character.isascii())
        font_choice._font_for.cache_clear()
    assert FontStack(20).width("été") == FontStack(20).width("ete")


def test_the_width_of_text_is_the_sum_of_its_parts() -> None:
    font = FontStack(20)
    assert font.width("") == 0
    assert font.width("ab") == pytest.approx(font.width("a") + font.width("b"), abs=2)
