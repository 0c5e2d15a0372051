"""A dataset of typographic attacks: objects, and images with an object's name on them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.textness.dataset import ClassFiles
from benchmarks.textness.synthetic_words import Rng, WordRenderer
from clipsearch.images.decode import decode
from clipsearch.records import ImageRecord

SIDE = 320  # pixels of the squares with words: the center crop of every model contains them
IMAGES_PER_NAME = 10


@dataclass(frozen=True, slots=True)
class TypographicDataset:
    """A folder with `clean/things/NAME`, `clean/others` and `words/NAME`."""

    folder: Path
    names: tuple[str, ...]

    @property
    def clean(self) -> Path:
        """The folder of images without drawn words."""
        return self.folder / "clean"

    def object_name(self, record: ImageRecord) -> str | None:
        """The name of the object that an image shows; None for other images."""
        return self._name(record, "clean", "things")

    def object_count(self, name: str) -> int:
        """The number of images of an object."""
        return len(list((self.clean / "things" / name).iterdir()))

    def drawn_name(self, record: ImageRecord) -> str | None:
        """The name drawn onto an image; None without one."""
        return self._name(record, "words")

    def _name(self, record: ImageRecord, *prefix: str) -> str | None:
        parts = record.path.relative_to(self.folder.resolve()).parts
        return parts[len(prefix)] if parts[: len(prefix)] == prefix else None


def build_dataset(
    folder: Path,
    objects: ClassFiles,
    others: Sequence[Path],
    renderer: WordRenderer,
    rng: Rng,
) -> TypographicDataset:
    """Copy the images, and draw each name onto squares of other classes' images."""
    for name, files in objects.items():
        _copy(files, folder / "clean" / "things" / name)
    _copy(others, folder / "clean" / "others")
    for name in objects:
        target = folder / "words" / name
        target.mkdir(parents=True)
        candidates = [file for other, files in objects.items() if other != name for file in files]
        replace = len(candidates) < IMAGES_PER_NAME
        chosen = rng.choice(len(candidates), IMAGES_PER_NAME, replace=replace)
        for number, index in enumerate(chosen):
            image, _ = renderer.draw(center_square(candidates[index]), name, rng)
            image.save(target / f"{number}.jpg", quality=92)
    return TypographicDataset(folder, tuple(objects))


def center_square(file: Path) -> Image.Image:
    """The center of an image, `SIDE` pixels wide and high."""
    image = decode(file).image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def random_parts(files: Sequence[Path], rng: Rng, *sizes: int) -> list[tuple[Path, ...]]:
    """Disjoint random parts of `files` with these sizes; all shrink alike if there are too few."""
    share = min(1.0, len(files) / max(1, sum(sizes)))
    shuffled = [files[index] for index in rng.permutation(len(files))]
    bounds = np.cumsum([0, *(int(share * size) for size in sizes)])
    return [tuple(shuffled[start:end]) for start, end in pairwise(bounds)]


def _copy(files: Sequence[Path], target: Path) -> None:
    target.mkdir(parents=True)
    for number, file in enumerate(files):  # two folders may have files of the same name
        shutil.copyfile(file, target / f"{number:04}{file.suffix}")
