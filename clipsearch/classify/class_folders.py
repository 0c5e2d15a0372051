"""Labeled images: a folder with one subfolder per class."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipsearch.classify.labels import check_labels
from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.types import Failure

log = logging.getLogger("clipsearch")


def find_class_folders(folder: str | Path) -> Mapping[str, list[ImageFile | Failure]]:
    """The image files of each class by folder name, sorted; hidden folders are ignored.

    Subfolders of a class folder belong to it. An empty class folder is left out with a warning.
    Raises UsageError if the folder does not exist, has fewer than two classes, or holds one file in
    two classes, which symbolic links make possible.
    """
    root = expand_user(Path(folder))
    if not is_folder(root):
        raise UsageError(f"no such folder: {root}")
    names = sorted(p.name for p in root.iterdir() if not p.name.startswith(".") and p.is_dir())
    classes = {name: list(FileSource([root / name])) for name in names}
    for name in [name for name, files in classes.items() if not files]:
        log.warning("skipped %s: it holds no images", root / name)
        del classes[name]
    if len(classes) < 2:
        present = f"only {next(iter(classes))!r}" if classes else "none"
        raise UsageError(
            f"{root} must hold two or more folders of images, one for each class; there is "
            f"{present}"
        )
    check_labels(list(classes))
    _check_disjoint(root, classes)
    return classes


def readable_name(label: str) -> str:
    """A folder name as words: `joshua_tree` becomes "joshua tree"."""
    return " ".join(label.replace("_", " ").split()) or label


def _check_disjoint(root: Path, classes: Mapping[str, Sequence[ImageFile | Failure]]) -> None:
    """Raise UsageError if two classes hold the same file, directly or through links."""
    class_of: dict[str, str] = {}
    for name, files in classes.items():
        for file in files:
            target = os.path.realpath(file.path)
            other = class_of.setdefault(target, name)
            if other != name:
                raise UsageError(
                    f"{target} is in two class folders, {root / other} and {root / name}: remove "
                    "it from one of them"
                )
