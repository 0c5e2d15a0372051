"""Stored paths that are the same name in another Unicode form."""

import unicodedata
from pathlib import Path

from clipsearch.files.paths import canonical, compose
from clipsearch.store import Collection, filters
from clipsearch.store.schema import decode_path


def images_at(collection: Collection, path: Path) -> str:
    """Return the condition of the images at a path or below it, in any spelling of its name."""
    return filters.any_of(
        *(
            filters.any_of(filters.path_equals(place), filters.in_folder(place))
            for place in stored_spellings(collection, canonical(path))
        )
    )


def stored_spellings(collection: Collection, path: Path) -> list[Path]:
    """Return a canonical path and every other form (NFC, NFD, mixed) in which it is stored.

    The path may be that of a file or of a folder of stored files. An ASCII path has one form.
    """
    if str(path).isascii():
        return [path]
    name, depth = compose(str(path)), len(path.parts)
    stored = map(decode_path, collection.scan_field("path", _near(path)))
    prefixes = {Path(*location.parts[:depth]) for location in stored}
    same = {prefix for prefix in prefixes if compose(str(prefix)) == name}
    return [path, *sorted(same - {path})]


def _near(path: Path) -> str:
    """A condition that all forms of a path meet: its ASCII start is the same in each."""
    text = unicodedata.normalize("NFD", str(path))
    mark = next(i for i, character in enumerate(text) if not character.isascii())
    return filters.path_starts_with(text[: max(1, mark - 1)])  # the last letter may bear the mark
