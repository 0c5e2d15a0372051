"""A collection with traps: real things, pictures of other things with the name written on them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.textness.dataset import Classes
from benchmarks.textness.drawn_words import Pen, Rng
from clipsearch.images.decode import decode
from clipsearch.types import ImageRecord

SIDE = 320  # pixels of the squares with words, whole in every model's middle square
WORDS_EACH = 10  # pictures with each name


@dataclass(frozen=True, slots=True)
class Typographic:
    """A folder: `clean/things/NAME`, `clean/others`, `words/NAME`."""

    folder: Path
    names: tuple[str, ...]

    @property
    def clean(self) -> Path:
        """The part without drawn words."""
        return self.folder / "clean"

    def thing(self, photo: ImageRecord) -> str | None:
        """The name of what a photograph shows, where it is one of the real things."""
        return self._name(photo, "clean", "things")

    def real(self, name: str) -> int:
        """How many photographs show a thing."""
        return len(list((self.clean / "things" / name).iterdir()))

    def word(self, photo: ImageRecord) -> str | None:
        """The name that is written on a picture, where one is."""
        return self._name(photo, "words")

    def _name(self, photo: ImageRecord, *kind: str) -> str | None:
        parts = photo.path.relative_to(self.folder.resolve()).parts
        return parts[len(kind)] if parts[: len(kind)] == kind else None


def build(folder: Path, things: Classes, others: Sequence[Path], pen: Pen, rng: Rng) -> Typographic:
    """Copy the photographs, and write each name on squares of other classes' photographs."""
    for name, files in things.items():
        _copy(files, folder / "clean" / "things" / name)
    _copy(others, folder / "clean" / "others")
    for name in things:
        target = folder / "words" / name
        target.mkdir(parents=True)
        strangers = [file for other, files in things.items() if other != name for file in files]
        chosen = rng.choice(len(strangers), WORDS_EACH, replace=len(strangers) < WORDS_EACH)
        for number, place in enumerate(chosen):
            picture, _ = pen.write(square(strangers[place]), name, rng)
            picture.save(target / f"{number}.jpg", quality=92)
    return Typographic(folder, tuple(things))


def square(file: Path) -> Image.Image:
    """The middle of a photograph, SIDE pixels wide and high."""
    image = decode(file).image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def parts_of(files: Sequence[Path], rng: Rng, *counts: int) -> list[tuple[Path, ...]]:
    """Disjoint random parts of some files, of at most so many each; fewer files make all smaller."""
    share = min(1.0, len(files) / max(1, sum(counts)))
    order = [files[place] for place in rng.permutation(len(files))]
    ends = np.cumsum([0, *(int(share * count) for count in counts)])
    return [tuple(order[start:end]) for start, end in pairwise(ends)]


def _copy(files: Sequence[Path], target: Path) -> None:
    target.mkdir(parents=True)
    for number, file in enumerate(files):  # names may be the same in two folders
        shutil.copyfile(file, target / f"{number:04}{file.suffix}")
