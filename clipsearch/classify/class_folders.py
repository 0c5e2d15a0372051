"""Labelled pictures: a folder of folders, one for each class."""

import logging
from collections.abc import Mapping
from pathlib import Path

from clipsearch.classify.labels import check_labels
from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.types import Failure

log = logging.getLogger("clipsearch")


def find_class_folders(folder: str | Path) -> Mapping[str, list[ImageFile | Failure]]:
    """The picture files of each class, by the name of its folder, sorted; dotfolders are no classes.

    Folders within a class folder belong to it. Raises UsageError where there is no such folder or
    fewer than two classes in it; an empty class folder is left out with a warning.
    """
    root = expand_user(Path(folder))
    if not is_folder(root):
        raise UsageError(f"no such folder: {root}")
    names = sorted(p.name for p in root.iterdir() if not p.name.startswith(".") and p.is_dir())
    classes = {name: list(FileSource([root / name])) for name in names}
    for name in [name for name, files in classes.items() if not files]:
        log.warning("%s holds no pictures: left out", root / name)
        del classes[name]
    if len(classes) < 2:
        there = f"only {next(iter(classes))!r}" if classes else "none"
        raise UsageError(
            f"{root} must hold two or more folders of pictures, one for each class; there is {there}"
        )
    check_labels(list(classes))
    return classes


def readable_name(label: str) -> str:
    """A folder's name as words: `joshua_tree` is "joshua tree"."""
    return " ".join(label.replace("_", " ").split()) or label
