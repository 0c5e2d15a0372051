"""Typefaces for drawing words on photographs: found on the disk, grouped by family."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# A glimpse of other scripts: enough to learn that they are writing, not to read them.
SCRIPTS = {
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "cyrillic": "абвгдежзиклмнопрстуфхцчшщыэюя",
    "kana": "あいうえおかきくけこさしすせそアイウエオカキクケコ",
    "han": "日本語中国文字書店東京大学水火山川人口車新聞",
    "devanagari": "कखगघचजटडतदनपबमयरलवसह",
    "arabic": "ابتثجحدرسشصطعفقكلمنهوي",
}
# Symbols in the places of letters, or letters that nobody can read.
NOT_LETTERS = frozenset(["D050000L", "Standard", "StayPuft"])
# Families that training never draws with, by the first word of their names: the test's.
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
    """One file; `scripts` are the ones of SCRIPTS that it covers, "latin" beside them."""

    path: Path
    family: str
    scripts: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether only tests may draw with it."""
        return self.family in HELD_OUT


@lru_cache(maxsize=2048)
def font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Open a face at `size` pixels."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def faces(folders: Sequence[Path]) -> list[Face]:
    """Find the faces that can write words, in a fixed order; raise FileNotFoundError on none."""
    paths = {p for folder in folders for p in folder.rglob("*") if p.suffix in (".ttf", ".otf")}
    found = [face for path in sorted(paths) if (face := _face(path))]
    if not any("latin" in face.scripts for face in found):
        where = ", ".join(map(str, folders))
        raise FileNotFoundError(f"no typeface with Latin letters under {where}: install some fonts")
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
    """Whether enough characters have shapes of their own (a missing one is drawn as a box)."""
    missing = bytes(face.getmask("\U0010fffd"))
    drawn = {bytes(face.getmask(character)) for character in sample} - {missing, b""}
    return len(drawn) >= share * len(sample)


@dataclass(frozen=True, slots=True)
class Hands:
    """Faces by family, for fair draws: a family with forty files counts as much as any other."""

    families: tuple[tuple[Face, ...], ...]

    @classmethod
    def of(cls, found: Iterable[Face], script: str = "latin", *, test: bool = False) -> "Hands":
        """Keep the faces of a script, held out from training or not."""
        groups: dict[str, list[Face]] = {}
        for face in found:
            if script in face.scripts and face.held_out == test:
                groups.setdefault(face.family, []).append(face)
        return cls(tuple(tuple(group) for _, group in sorted(groups.items())))

    def choose(self, rng: np.random.Generator) -> Face:
        """Draw a family, then one of its files."""
        family = self.families[int(rng.integers(len(self.families)))]
        return family[int(rng.integers(len(family)))]
