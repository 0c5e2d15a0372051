"""Which names a walk leaves out, by globs in the manner of .gitignore."""

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from glob import escape
from pathlib import Path

from clipsearch.files.paths import anchored


class Excluded:
    """Whether a file or folder matches one of the globs, as `FileSelection` says; false without any."""

    def __init__(self, globs: Sequence[str]) -> None:
        cleaned = [glob.replace(os.sep, "/").rstrip("/") for glob in globs]
        self._names = [glob for glob in cleaned if glob and "/" not in glob]
        self._paths = [glob.strip("/").split("/") for glob in cleaned if "/" in glob]
        self._places = [  # with all below: a walk may also begin there
            [*map(escape, folder.parts), *rest.split("/"), "**"]
            for folder, rest in filter(None, map(anchored, cleaned))
        ]

    def __bool__(self) -> bool:
        return bool(self._names or self._paths or self._places)

    def __call__(self, path: str, relative: str) -> bool:
        """By its absolute path and by the one relative to where the walk began."""
        parts = relative.split("/")
        return (
            any(fnmatch(parts[-1], glob) for glob in self._names)
            or any(_matches(parts, glob) for glob in self._paths)
            or any(_matches(Path(path).parts, glob) for glob in self._places)
        )


def _matches(parts: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_matches(parts[start:], globs[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], globs[0]) and _matches(parts[1:], globs[1:])
