"""Names of many files: shard-{000..099}.tar, and globs that the shell has not expanded."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user
from clipsearch.locations.object_store import match_objects
from clipsearch.remote_path import RemotePath, locate

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}", re.ASCII)
_WILDCARD = re.compile(r"[*?\[]")

MAX_NAMES = 100_000
"""Names of one range at most: a larger one is a mistake."""


def expand(path: Path) -> Iterator[Path]:
    """Yield the path itself, or those that its ranges and wildcards stand for.

    A name that exists is never a pattern. Raises UsageError if nothing matches a wildcard.
    """
    is_remote = isinstance(path, RemotePath)
    if not is_remote and os.path.lexists(expand_user(path)):
        yield path
        return
    for text in _expand_ranges(str(path)):
        if not _WILDCARD.search(text):
            yield locate(text)
        elif found := _match(locate(text)):
            yield from found
        else:
            raise UsageError(f"nothing matches {text}")


def _match(pattern: Path) -> list[Path]:
    if isinstance(pattern, RemotePath):
        return list(match_objects(pattern))
    names = glob.glob(str(expand_user(pattern)), recursive=True)  # noqa: PTH207 - takes "/" first
    return [Path(name) for name in sorted(names)]


def _expand_ranges(text: str) -> Iterator[str]:
    match = _RANGE.search(text)
    if match is None:
        yield text
        return
    first, last = match.groups()
    numbers = range(int(first), int(last) + 1)
    if not numbers or len(numbers) > MAX_NAMES:
        raise UsageError(f"{match[0]} names {len(numbers):,} files: use 1 to {MAX_NAMES:,}")
    for number in numbers:
        name = str(number).zfill(len(first) if first.startswith("0") else 0)
        yield from _expand_ranges(text[: match.start()] + name + text[match.end() :])
