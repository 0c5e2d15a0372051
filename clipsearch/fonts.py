"""Font files: find, group by family, load, and test which characters they have."""

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

import platformdirs
from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
FontFile = Path | str | None  # a path, a file name that Pillow looks up, or the one inside Pillow

FONT_SUFFIXES = {".ttf", ".otf", ".ttc"}
MAX_FILES = 20_000  # stop here if a folder turns out to be something else, such as a whole disk
# Fonts that have symbols in place of letters, or letters in fixed colors.
_SYMBOL_FONTS = re.compile(
    r"emoji|symbol|ding|icon|awesome|barcode|music|math|ornament|lastresort|braille|cursor|marlett"
    r"|glyph|chess|keycap|adobeblank|notdef|pua",
    re.IGNORECASE,
)
# File names that Pillow looks up in the font folders of Linux, macOS and Windows, best first.
# Nearly every system has one of the plain fonts. None is Pillow's built-in font, for Latin only.
PLAIN_FONTS: tuple[str | None, ...] = (
    "Inter-Regular.ttf",
    "NotoSans-Regular.ttf",
    "SFNS.ttf",
    "segoeui.ttf",
    "Roboto-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    None,
    "DejaVuSans.ttf",
)
# Fonts for the characters that a plain font lacks.
SCRIPT_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "Hiragino Sans GB.ttc",
    "PingFang.ttc",
    "AppleSDGothicNeo.ttc",
    "YuGothM.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "WenQuanYi Micro Hei.ttf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Nirmala.ttf",
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
)
EMOJI_FONTS = (
    "NotoColorEmoji.ttf",
    "Apple Color Emoji.ttc",
    "seguiemj.ttf",
    "TwitterColorEmoji-SVGinOT.ttf",
    "NotoEmoji-Regular.ttf",
    "Symbola.ttf",
)
BITMAP_SIZES = (109, 128, 136, 160, 96, 64)  # of the glyphs in color fonts

_PROBE_SIZE = 16
_NO_CHARACTER = "\U0010ffff"  # permanently unassigned, so every font draws its "missing" box


def find_fonts(folders: Sequence[Path] | None = None) -> tuple[Path, ...]:
    """Scalable font files in some folders (default: this machine's), sorted.

    Symbol fonts are left out. Only names are read, a few milliseconds per thousand files.
    """
    folders = _system_folders() if folders is None else folders
    return _list_fonts(tuple(folder for folder in folders if folder.is_dir()))


def font_family(file: Path) -> str:
    """The first word of a font file's name, shared by its weights and slants: "dejavusans"."""
    words = re.split(r"[-_ .\[]", file.stem)
    return words[0].lower()


def group_by_family(files: Iterable[Path]) -> tuple[tuple[Path, ...], ...]:
    """The files of each family, families sorted by name."""
    families: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        families[font_family(file)].append(file)
    return tuple(tuple(families[name]) for name in sorted(families))


@lru_cache(maxsize=256)
def load_font(file: FontFile, size: int) -> Font:
    """Load a font at a size in pixels.

    A font that has only bitmaps, such as emoji, is loaded at their size. Raises OSError if the font
    is missing or damaged.
    """
    if file is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(str(file), size)
    except OSError as error:
        if "invalid pixel size" not in str(error):
            raise
        for bitmap_size in BITMAP_SIZES:
            with suppress(OSError):
                return ImageFont.truetype(str(file), bitmap_size)
        raise


@lru_cache(maxsize=20_000)
def has_glyphs(file: FontFile, text: str) -> bool:
    """Whether a font has a glyph for every character; False if it cannot be read.

    A glyph counts if it is drawn differently from the font's box for missing characters.
    """
    return all(_has_glyph(file, character) for character in set(text) if not character.isspace())


@lru_cache(maxsize=100_000)
def _has_glyph(file: FontFile, character: str) -> bool:
    try:
        font = load_font(file, _PROBE_SIZE)
        mask, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
    except (OSError, ValueError):  # a damaged font, or a bitmap font without the character
        return False
    return bool(mask.size != missing.size or bytes(mask) != bytes(missing)) and any(mask.size)


@cache
def _list_fonts(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    fonts: set[Path] = set()
    for folder in folders:
        for root, _, names in os.walk(folder):
            fonts.update(
                Path(root, name)
                for name in names
                if Path(name).suffix.lower() in FONT_SUFFIXES and not _SYMBOL_FONTS.search(name)
            )
            if len(fonts) > MAX_FILES:
                break
    return tuple(sorted(fonts))


def _system_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home))
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"))
        return [windows / "Fonts", local / "Microsoft" / "Windows" / "Fonts"]
    if sys.platform == "darwin":
        roots = [Path("/System/Library"), Path("/Library"), home / "Library"]
        return [root / "Fonts" for root in roots]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    data = [Path(folder) / "fonts" for folder in shared.split(":") if folder]
    return [*data, Path(platformdirs.user_data_dir()) / "fonts", home / ".fonts"]
