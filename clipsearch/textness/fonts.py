"""The fonts of this machine, opened when they are used."""

import os
import re
import sys
from functools import cache, lru_cache
from pathlib import Path

import platformdirs
from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FONT_SUFFIXES = {".ttf", ".otf", ".ttc"}
MOST_FILES = 20_000  # a mistaken folder, such as a whole disk, must not be searched for minutes
# Pictures instead of letters, under the codes of letters or in colours that cannot be chosen.
_NO_LETTERS = re.compile(
    r"emoji|symbol|ding|icon|awesome|barcode|music|math|ornament|lastresort|braille|cursor|marlett"
    r"|glyph|chess|keycap|adobeblank|notdef|pua",
    re.IGNORECASE,
)
_PROBE_SIZE = 16
_NO_CHARACTER = "\U0010ffff"  # permanently unassigned, so every font draws its "missing" box


def find_fonts() -> tuple[Path, ...]:
    """Scalable font files in this machine's font folders, sorted; without those of pictures.

    A look at names only, some milliseconds for a thousand of them. Empty where there are none.
    """
    return _files_in(tuple(folder for folder in _folders() if folder.is_dir()))


def font_family(font: Path) -> str:
    """The beginning of a font file's name, which its weights and slants share: "dejavusans"."""
    words = re.split(r"[-_ .\[]", font.stem)
    return words[0].lower()


def load_font(file: Path | None, size: int) -> Font:
    """A font of a size in pixels; None is the face inside Pillow. Raises OSError on others."""
    return _open(file, size)


@lru_cache(maxsize=20_000)
def has_glyphs(file: Path | None, text: str) -> bool:
    """Whether a font has a glyph of its own for every character; False where it cannot be read."""
    return all(_has(file, character) for character in set(text) if not character.isspace())


@lru_cache(maxsize=100_000)
def _has(file: Path | None, character: str) -> bool:
    try:
        font = _open(file, _PROBE_SIZE)
        mask, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
    except (OSError, ValueError):  # broken, or a bitmap font that lacks it
        return False
    return bool(mask.size != missing.size or bytes(mask) != bytes(missing)) and any(mask.size)


@lru_cache(maxsize=256)
def _open(file: Path | None, size: int) -> Font:
    if file is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(file), size)


@cache
def _files_in(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    found: set[Path] = set()
    for folder in folders:
        for root, _, names in os.walk(folder):
            found.update(
                Path(root, name)
                for name in names
                if Path(name).suffix.lower() in FONT_SUFFIXES and not _NO_LETTERS.search(name)
            )
            if len(found) > MOST_FILES:
                break
    return tuple(sorted(found))


def _folders() -> list[Path]:
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
