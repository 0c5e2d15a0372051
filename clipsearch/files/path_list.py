"""Lists of paths from other programs, on standard input."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from clipsearch.errors import UsageError
from clipsearch.files.paths import canonical, expand_user, is_folder
from clipsearch.remote_path import locate
from clipsearch.text_encoding import MARK, decode_text, detect_encoding

_MARK_BYTES = MARK.encode()
_MIN_LETTERS = 3
"""So many missing names of one character look like text of another encoding."""


def read_path_list(stream: BinaryIO) -> list[Path]:
    """Read paths separated by NUL if the data has a NUL character, else by lines; skip empty ones.

    File names are bytes that need not be UTF-8, so they are decoded like the file system's, unless
    the list is in UTF-16 or UTF-32. Raises UsageError if such a list is damaged, or if most names
    are single characters without a file, as those of a list in an unknown encoding.
    """
    data = stream.read()
    encoding = detect_encoding(data)
    if encoding.startswith("utf-8"):
        names = [
            os.fsdecode(name.removeprefix(_MARK_BYTES) if encoding == "utf-8-sig" else name)
            for name in _split(data)
        ]
    else:
        try:
            names = _split_text(decode_text(data))
        except UnicodeDecodeError as error:
            raise UsageError(
                f"the list of paths looks like {encoding.upper()} but is damaged: save it as UTF-8"
            ) from error
    _refuse_letters(names)
    return [locate(name) for name in names]


def find_whole_disk(paths: Sequence[Path]) -> Path | None:
    """Return the first path that is the root of a disk, or holds the user's home folder."""
    home = canonical(Path("~"))
    for path in paths:
        if not is_folder(expand_user(path)):  # resolving every file of a list takes long
            continue
        location = canonical(path)
        if location == Path(location.anchor) or location in (home, *home.parents):
            return path
    return None


def _split(data: bytes) -> list[bytes]:
    if b"\0" in data:
        return [name for name in data.split(b"\0") if name]
    return [name for line in data.split(b"\n") if (name := line.removesuffix(b"\r"))]


def _split_text(text: str) -> list[str]:
    if "\0" in text:
        return [name for name in text.split("\0") if name]
    return [name for line in text.split("\n") if (name := line.removesuffix("\r"))]


def _refuse_letters(names: Sequence[str]) -> None:
    """Raise UsageError if most names are single characters that name nothing."""
    letters = [name for name in names if len(name) == 1 and not os.path.lexists(name)]
    roots = [name for name in names if name == os.sep]
    if len(letters) >= _MIN_LETTERS and 2 * (len(letters) + len(roots)) > len(names):
        raise UsageError(
            f"most entries of the list of paths are single characters ({letters[0]!r}, "
            f"{letters[1]!r}, …), as if it was in UTF-16 or another encoding: save it as UTF-8"
        )
