"""The labeled images, divided into those for the test and those for training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.text_lines import numbered_lines

TEST_SHARE = 0.625  # of each class: 10 of 16 images
MIN_IMAGES = 3  # per class: one for training and two for the test
IMAGES_WITH_TEXT = Path(__file__).with_name("images_with_text.txt")

ClassFiles = Mapping[str, tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class LabeledFiles:
    """Image files by class name: those for the test, and those to train a model with."""

    test: ClassFiles
    train: ClassFiles


def image_files(folder: Path) -> tuple[Path, ...]:
    """All image files below a folder, sorted."""
    return tuple(sorted(item.path for item in FileSource([folder]) if isinstance(item, ImageFile)))


def without_text(files: Iterable[Path]) -> tuple[Path, ...]:
    """The files that `images_with_text.txt` does not name.

    It lists images of COCO with text, or with clocks, screens, shirts or vehicles that may show
    text. They were found by inspecting 500 images.
    """
    names = {name for _, name in numbered_lines(IMAGES_WITH_TEXT)}
    return tuple(file for file in files if file.name not in names)


def split_classes(folder: Path, rng: np.random.Generator) -> LabeledFiles:
    """Divide the images of each class folder at random.

    Class names are the folder names in lower case with spaces. Classes with fewer than `MIN_IMAGES`
    images are left out. Raises UsageError if fewer than two classes remain.
    """
    test, train = {}, {}
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = image_files(class_folder)
        if len(files) >= MIN_IMAGES:
            shuffled = [files[index] for index in rng.permutation(len(files))]
            count = min(len(files) - 1, round(TEST_SHARE * len(files)))
            name = class_folder.name.replace("_", " ").replace("-", " ").lower()
            test[name], train[name] = tuple(shuffled[:count]), tuple(shuffled[count:])
    if len(test) < 2:
        raise UsageError(
            f"{folder} has fewer than two class folders with images: "
            f"give a folder with a folder for each class, {MIN_IMAGES} images or more in each"
        )
    return LabeledFiles(test, train)
