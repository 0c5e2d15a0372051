"""Stored images and their files, as they are served to others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clipsearch.errors import ImageError
from clipsearch.files.stored_file import open_stored_file
from clipsearch.index import Index
from clipsearch.records import ImageRecord
from clipsearch.web.problems import Problem


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A record, and the folders in which its file may lie."""

    record: ImageRecord
    roots: tuple[Path, ...]

    def open(self) -> BinaryIO:
        """Open the file as it is now; raise Problem 404 if it is missing or outside the roots."""
        try:
            return open_stored_file(self.record.path, self.roots)
        except ImageError as error:
            raise Problem(404, f"{self.record.path.name!r} cannot be read: {error}") from error


def find_image(id_: str, index: Index) -> StoredImage:
    """Return the image with an id; raise Problem 404 if there is none."""
    if images := find_images([id_], index):
        return images[0]
    raise Problem(404, f"no image has the id {id_}")


def find_images(ids: Sequence[str], index: Index) -> list[StoredImage]:
    """Return the images with these ids, in order, each once; unknown ids are left out."""
    rows, roots = index.collection.get(ids), index.collection.info.roots
    return [StoredImage(rows[id_].record, roots) for id_ in dict.fromkeys(ids) if id_ in rows]
