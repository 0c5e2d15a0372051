"""What a walk leaves out: junk folders, and files that match gitignore-style patterns."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipsearch.files.paths import anchored, compose

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

JUNK_FOLDERS = frozenset(
    {
        "@eadir",  # Synology
        "@recycle",  # QNAP
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
        "node_modules",
        "thumbnails",
        "thumbnail",
        "thumbs",
    }
)
"""Lower-case names of folders without images of their own; dotfolders are skipped as well."""


def _fold(text: str) -> str:
    """Return what a pattern or path is compared by: one Unicode form, and on Windows one case."""
    text = compose(text)
    return compose(text.lower()) if os.name == "nt" else text


class Exclusion:
    """Matches paths against the patterns of `FileSelection.exclude`; false if there are none."""

    def __init__(self, patterns: Sequence[str]) -> None:
        cleaned = [pattern.replace(os.sep, "/").rstrip("/") for pattern in patterns]
        self._relative = _spec([_quote_syntax(pattern) for pattern in cleaned if pattern])
        self._absolute = _spec(
            [
                f"{_quote(folder.as_posix().rstrip('/'))}/{_quote_syntax(rest)}"
                for folder, rest in filter(None, map(anchored, cleaned))
            ]
        )

    def __bool__(self) -> bool:
        return self._relative is not None

    def matches(self, path: str, relative: str) -> bool:
        """Whether a pattern matches a path, absolute or relative to the folder being walked."""
        return (self._relative is not None and self._relative.match_file(_fold(relative))) or (
            self._absolute is not None and self._absolute.match_file(_fold(path))
        )


def _spec(lines: list[str]) -> "GitIgnoreSpec | None":
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # late: takes 25 ms, and queries need no patterns

    return GitIgnoreSpec.from_lines(map(_fold, lines), backend="simple")


def _quote_syntax(pattern: str) -> str:
    """Quote what has no meaning here: a backslash, a leading "!" or "#", end spaces, a lone "["."""
    pattern = pattern.replace("\\", "\\\\")
    return re.sub(r"^(?=[!#])|(?= +$)|(?=\[(?![^/]*\]))", r"\\", pattern)


def _quote(text: str) -> str:
    """Quote every character that has a meaning in a pattern."""
    return re.sub(r"(?=[*?\[\]\\!# ])", r"\\", text)
