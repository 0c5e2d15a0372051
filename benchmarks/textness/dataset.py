"""The labelled photographs, and who may see which of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.text_lines import numbered_lines

TEST = 0.625  # of each class: 10 of 16
FEWEST = 3  # photographs of a class, to have one to teach with and two to test with
LETTERED = Path(__file__).with_name("lettered.txt")

Classes = Mapping[str, tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class Photos:
    """Photographs by the name of their class: those of the test, and those to teach a model with."""

    test: Classes
    taught: Classes


def photos_in(folder: Path) -> tuple[Path, ...]:
    """All pictures under a folder, in order."""
    return tuple(sorted(item.path for item in FileSource([folder]) if isinstance(item, ImageFile)))


def without_text(files: Iterable[Path]) -> tuple[Path, ...]:
    """All but those that `lettered.txt` names: photographs of COCO with text of their own, or with
    clocks, screens, shirts or vehicles that may show some, found by looking at 500.
    """
    lettered = {name for _, name in numbered_lines(LETTERED)}
    return tuple(file for file in files if file.name not in lettered)


def split(folder: Path, rng: np.random.Generator) -> Photos:
    """Divide the photographs of each class folder; raise UsageError where there are not two classes."""
    test, taught = {}, {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = photos_in(place)
        if len(files) >= FEWEST:
            order = [files[position] for position in rng.permutation(len(files))]
            kept = min(len(files) - 1, round(TEST * len(files)))
            name = place.name.replace("_", " ").replace("-", " ").lower()
            test[name], taught[name] = tuple(order[:kept]), tuple(order[kept:])
    if len(test) < 2:
        raise UsageError(
            f"{folder}: give a folder with a folder for each class, {FEWEST} photographs or more in each"
        )
    return Photos(test, taught)
