"""Fonts of three disjoint sets of families: for the test, the reading model and the probe."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import ascii_letters

from clipsearch.fonts import find_fonts, font_family, group_by_family, has_glyphs
from training.data.sources import fetch_wheel

# Packages of fonts on PyPI, all under the SIL Open Font License or Apache-2.0.
TEST_PACKAGES = ("font-caladea==0.0.2", "font-manrope==0.0.2")
READING_MODEL_PACKAGES = (
    "font-source-sans-pro==0.0.1",
    "font-source-serif-pro==0.0.1",
    "font-hanken-grotesk==0.0.2",
    "font-fredoka-one==0.0.4",
    "font-intuitive==0.0.4",
)
SUFFIXES = (".ttf", ".otf")

FontFamily = tuple[Path, ...]


def package_families(packages: Sequence[str], cache: Path) -> tuple[FontFamily, ...]:
    """The font files of each package, unpacked below `cache`; missing ones come from PyPI."""
    return tuple(_unpack(package, cache) for package in packages)


def system_fonts(excluded: Sequence[FontFamily]) -> tuple[Path, ...]:
    """The fonts of this machine except the excluded families."""
    names = {font_family(file) for files in excluded for file in files}
    return tuple(file for file in find_fonts() if font_family(file) not in names)


def english_families(files: Iterable[Path]) -> tuple[FontFamily, ...]:
    """The files that cover the English alphabet, grouped by family."""
    return group_by_family(file for file in files if has_glyphs(file, ascii_letters))


def _unpack(package: str, cache: Path) -> FontFamily:
    folder = cache / "fonts" / package.split("==")[0]
    if not folder.is_dir():
        with zipfile.ZipFile(fetch_wheel(package, cache)) as wheel:
            for name in wheel.namelist():
                # A variable font opens at its thinnest weight, which the static files have as well.
                if name.endswith(SUFFIXES) and "Variable" not in name:
                    target = folder / Path(name).name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(wheel.read(name))
    return tuple(sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES))
