"""Fonts for drawing words on images: found on disk, grouped by family."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# Samples of other scripts: enough to learn that they are text, not to recognize words.
SCRIPTS = {
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "cyrillic": "абвгдежзиклмнопрстуфхцчшщыэюя",
    "kana": "あいうえおかきくけこさしすせそアイウエオカキクケコ",
    "han": "日本語中国文字書店東京大学水火山川人口車新聞",
    "devanagari": "कखगघचजटडतदनपबमयरलवसह",
    "arabic": "ابتثجحدرسشصطعفقكلمنهوي",
}
# Fonts of symbols, or with illegible letters.
NOT_LETTERS = frozenset(["D050000L", "Standard", "StayPuft"])
# Families held out for tests, by the first word of their names.
HELD_OUT = frozenset(
    [
        "DejaVu",
        "Lato",
        "Cabin",
        "Play",
        "Caladea",
        "Comic",
        "JetBrains",
        "Vollkorn",
        "Dosis",
        "Averia",
        "Kaushan",
        "Inter",
        "Bebas",
    ]
)


@dataclass(frozen=True, slots=True)
class Face:
    """One font file; `scripts` are those of SCRIPTS that it covers, and "latin"."""

    path: Path
    family: str
    scripts: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether it is for tests only."""
        return self.family in HELD_OUT


@lru_cache(maxsize=2048)
def font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Open a face at `size` pixels."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def find_faces(folders: Sequence[Path]) -> list[Face]:
    """Find usable fonts, in a fixed order; raise FileNotFoundError if there are none."""
    paths = {p for folder in folders for p in folder.rglob("*") if p.suffix in (".ttf", ".otf")}
    found = [face for path in sorted(paths) if (face := _face(path))]
    if not any("latin" in face.scripts for face in found):
        where = ", ".join(map(str, folders))
        raise FileNotFoundError(f"no font with Latin letters under {where}: install fonts")
    return found


def _face(path: Path) -> Face | None:
    try:
        face = font(path, 20)
        scripts = [name for name, sample in SCRIPTS.items() if _covers(face, sample, 0.6)]
        if _covers(face, LETTERS, 0.85):
            scripts.append("latin")
    except OSError:
        return None  # a bitmap font or a damaged file
    family = (face.getname()[0] or path.stem).split()[0]
    if not scripts or family in NOT_LETTERS:
        return None
    return Face(path, family, tuple(scripts))


def _covers(face: ImageFont.FreeTypeFont, sample: str, share: float) -> bool:
    """Whether enough characters have their own glyph (a missing one is drawn as a box)."""
    missing = bytes(face.getmask("\U0010fffd"))
    drawn = {bytes(face.getmask(character)) for character in sample} - {missing, b""}
    return len(drawn) >= share * len(sample)


@dataclass(frozen=True, slots=True)
class FontSet:
    """Faces grouped by family, so that a family with forty files counts as much as any other."""

    families: tuple[tuple[Face, ...], ...]

    @classmethod
    def of(cls, found: Iterable[Face], script: str = "latin", *, test: bool = False) -> "FontSet":
        """Select the faces of a script, for training or for tests."""
        groups: dict[str, list[Face]] = {}
        for face in found:
            if script in face.scripts and face.held_out == test:
                groups.setdefault(face.family, []).append(face)
        return cls(tuple(tuple(group) for _, group in sorted(groups.items())))

    def choose(self, rng: np.random.Generator) -> Face:
        """Draw a family, then one of its files."""
        family = self.families[int(rng.integers(len(self.families)))]
        return family[int(rng.integers(len(family)))]
