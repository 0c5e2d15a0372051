"""Which font of this machine draws a character."""

import logging
from functools import cache, lru_cache
from pathlib import Path
from unicodedata import category, name

from clipsearch.fonts import (
    EMOJI_FONTS,
    PLAIN_FONTS,
    SCRIPT_FONTS,
    FontFile,
    find_fonts,
    has_glyphs,
    load_font,
)

log = logging.getLogger("clipsearch")

VARIATION_EMOJI, JOINER = "\ufe0f", "\u200d"
_EMOJI = range(0x1F000, 0x20000)  # nearly all symbols of this range are emoji
_MODIFIERS = range(0x1F3FB, 0x1F400)  # skin tones
_FLAG_TAGS = range(0xE0020, 0xE0080)


def choose_font(text: str) -> str | None:
    """The plain font that covers most characters of `text`; the first of equally good ones.

    Choose it once for all texts of an image, so that they look alike.
    """
    characters = set(text)
    return max(
        (name for name in PLAIN_FONTS if _is_installed(name)),
        key=lambda name: sum(has_glyphs(name, character) for character in characters),
    )


def fonts_of(text: str, preferred: str | None) -> list[FontFile]:
    """The font of each character: `preferred`, or another one of this machine that has it.

    Accents, joiners and what they join share a font, which draws them as one.
    """
    fonts: list[FontFile] = []
    for index, character in enumerate(text):
        if index and _belongs_to_previous(text, index):
            fonts.append(fonts[-1])
        else:
            as_emoji = text[index + 1 : index + 2] == VARIATION_EMOJI
            fonts.append(_font_for(character, preferred, as_emoji=as_emoji))
    return fonts


def _belongs_to_previous(text: str, index: int) -> bool:
    code = ord(text[index])
    return (
        category(text[index]).startswith("M")
        or text[index] == JOINER
        or (text[index - 1] == JOINER and category(text[index]).startswith("S"))
        or code in _MODIFIERS
        or code in _FLAG_TAGS
    )


@lru_cache(maxsize=4096)
def _font_for(character: str, preferred: str | None, *, as_emoji: bool) -> FontFile:
    emoji = EMOJI_FONTS if as_emoji or ord(character) in _EMOJI else ()
    named: tuple[FontFile, ...] = (*emoji, preferred, *SCRIPT_FONTS, *EMOJI_FONTS)
    for font in named:
        if has_glyphs(font, character):
            return font
    script = _script(character)
    if script not in _system_fonts:
        # Reads all fonts, once for each script: a second for a thousand fonts.
        covering = (file for file in find_fonts() if has_glyphs(file, character))
        _system_fonts[script] = sorted(covering, key=_plainness)
        if not _system_fonts[script] and category(character)[0] in "LNS":
            log.warning(
                "no font of this machine has %s characters, such as %s: they are drawn as boxes; "
                "install one that does, for example a Noto font",
                script,
                character,
            )
    fonts = (file for file in _system_fonts[script] if has_glyphs(file, character))
    return next(fonts, preferred)


_system_fonts: dict[str, list[Path]] = {}  # by script


def _script(character: str) -> str:
    """The script of a character, such as "Arabic" or "CJK": all its names start with that word."""
    if ord(character) in _EMOJI:
        return "emoji"
    script = name(character, "").partition(" ")[0]
    return script if script == "CJK" else script.capitalize()


def _plainness(file: Path) -> tuple[bool, bool, bool, str]:
    words = file.stem.lower()
    is_styled = any(word in words for word in ("bold", "italic", "oblique", "light", "thin"))
    return is_styled, "mono" in words, "serif" in words, words


@cache
def _is_installed(name: str | None) -> bool:
    try:
        load_font(name, 16)
    except OSError:
        return False
    return True
