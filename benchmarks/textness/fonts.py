"""Three kinds of font families that share none: the test's, the reading model's, the probe's."""

import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import ascii_letters

from clipsearch.textness.fonts import find_fonts, font_family, has_glyphs
from training.data.sources import fetch_wheel

# Packages of fonts on PyPI, all under the SIL Open Font License or Apache-2.0.
OF_THE_TEST = ("font-caladea==0.0.2", "font-manrope==0.0.2")
OF_THE_READING_MODEL = (
    "font-source-sans-pro==0.0.1",
    "font-source-serif-pro==0.0.1",
    "font-hanken-grotesk==0.0.2",
    "font-fredoka-one==0.0.4",
    "font-intuitive==0.0.4",
)
SUFFIXES = (".ttf", ".otf")

Family = tuple[Path, ...]


def families(packages: Sequence[str], cache: Path) -> tuple[Family, ...]:
    """The font files of each package, unpacked under `cache`; downloaded with pip when missing."""
    return tuple(_unpacked(package, cache) for package in packages)


def of_the_probe(others: Sequence[Family]) -> tuple[Path, ...]:
    """This machine's fonts, without any family that others use."""
    taken = {font_family(file) for files in others for file in files}
    return tuple(file for file in find_fonts() if font_family(file) not in taken)


def by_family(files: Sequence[Path]) -> tuple[Family, ...]:
    """The files that have all letters of English, by family."""
    found = defaultdict(list)
    for file in files:
        if has_glyphs(file, ascii_letters):
            found[font_family(file)].append(file)
    return tuple(tuple(found[name]) for name in sorted(found))


def _unpacked(package: str, cache: Path) -> Family:
    folder = cache / "fonts" / package.split("==")[0]
    if not folder.is_dir():
        with zipfile.ZipFile(fetch_wheel(package, cache)) as wheel:
            for name in wheel.namelist():
                # A variable font opens at its thinnest, which its static files have as well.
                if name.endswith(SUFFIXES) and "Variable" not in name:
                    target = folder / Path(name).name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(wheel.read(name))
    return tuple(sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES))
