"""Texts are compared without case, width, spacing and, if wanted, accents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.ocr.search_form import search_form, without_accents


@pytest.mark.parametrize(
    ("text", "form", "plain"),
    [
        ("  RE16\n TGK ", "re16 tgk", "re16 tgk"),
        ("Straße", "strasse", "strasse"),
        ("Łódź", "łódź", "lodz"),
        ("CAFÉ", "café", "cafe"),
        ("cafe\u0301", "café", "cafe"),  # decomposed
        ("\uff29\uff2b\uff25\uff21", "ikea", "ikea"),  # full width
        ("o\ufb03ce", "office", "office"),  # a ligature
        ("DIYARBAKIR ılık", "diyarbakir ılık", "diyarbakir ilik"),
        ("領収書", "領収書", "領収書"),
        ("ガラス", "ガラス", "ガラス"),
        ("", "", ""),
    ],
)
def test_forms(text: str, form: str, plain: str) -> None:
    assert search_form(text) == form
    assert without_accents(form) == plain


@given(st.text())
def test_forms_of_forms_are_the_same(text: str) -> None:
    form = search_form(text)
    assert search_form(form) == form
    plain = without_accents(form)
    assert without_accents(plain) == plain


def test_characters_that_show_nothing_are_left_out() -> None:
    assert search_form("pho\u00adto\u200b \u202eab\u2060c\ufeff \u2764\ufe0f") == "photo abc \u2764"
