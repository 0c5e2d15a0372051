"""Which files to take: folders walked, explicit paths checked, each file once."""

import difflib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias

from clipsearch.errors import UsageError
from clipsearch.files.paths import canonical, expand_user, is_folder
from clipsearch.files.walk import FileSelection, reason, walk
from clipsearch.images.formats import FORMATS
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to ingest, by its canonical path.

    `size` (bytes) and `mtime_ns` are those of the file that a link points to.
    """

    path: Path
    size: int
    mtime_ns: int


Start: TypeAlias = tuple[str, os.stat_result]
Item: TypeAlias = Start | str | Failure


def find(
    paths: Sequence[Path], selection: FileSelection, *, strict: bool = True
) -> Iterator[ImageFile | Failure]:
    """Yield the image files in and among `paths`, each once, folders in sorted order.

    From folders come files with a known suffix, and files without any suffix whose first bytes are
    a known format's. A missing path is a Problem. With `strict`, for paths that a person typed, it
    is a UsageError at once, before anything is yielded.
    """
    if strict:
        _refuse_missing(paths)
    return _found(paths, selection)


def require_any(found: Iterator[ImageFile | Failure], paths: Sequence[Path]) -> None:
    """Raise UsageError where nothing was found: the first ingestion of an empty folder is a mistake."""
    if next(found, None) is None:
        where = ", ".join(map(str, paths[:3])) + (" and others" if len(paths) > 3 else "")
        raise UsageError(
            f"no pictures in {where}: looked for {', '.join(sorted(FORMATS))}; --all also takes "
            "dotfiles and junk folders"
        )


def count(paths: Sequence[Path], selection: FileSelection) -> int:
    """How many files and problems `find` would yield now: no stat for each file in a folder."""
    return sum(1 for _ in _items(paths, selection))


def roots(paths: Sequence[Path]) -> list[Path]:
    """The folders among the paths, canonical, each once; never raises."""
    return list(
        dict.fromkeys(canonical(path) for path in map(expand_user, paths) if is_folder(path))
    )


def read_path_list(stream: BinaryIO) -> list[Path]:
    """Paths separated by NUL if there is any NUL byte, else by lines; empty entries are dropped.

    File names are bytes that need not be UTF-8, so they are decoded as the file system's are.
    """
    data = stream.read()
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [Path(os.fsdecode(name)) for name in names if name]


def _refuse_missing(paths: Sequence[Path]) -> None:
    for path in map(expand_user, paths):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if not path.is_symlink():
                raise UsageError(f"no such file or folder: {path}{_near_miss(path)}") from error
        except OSError:
            pass  # a problem of this one path
        except ValueError as error:  # a NUL inside
            raise UsageError(f"not a path: {str(path)!r}") from error


def _starts(paths: Sequence[Path]) -> Iterator[Start | Failure]:
    """What was asked for: canonical path and status."""
    folders: dict[str, str] = {}  # resolving costs more than the stat
    for path in map(expand_user, paths):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            yield Failure(canonical(path), _unseen(path, error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield str(canonical(path)), status
            continue
        parent, name = os.path.split(path)
        if parent not in folders:
            folders[parent] = str(canonical(Path(parent)))
        yield os.path.join(folders[parent], name), status  # noqa: PTH118 - Path is too slow here


def _unseen(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "not a path"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "the link points to nothing" if path.is_symlink() else "no such file"
    return reason(error)


def _near_miss(path: Path) -> str:
    """A hint at a similar name beside the first missing part of `path`, or nothing."""
    missing = path.absolute()
    while not missing.parent.is_dir():
        if missing.parent == missing:
            return ""
        missing = missing.parent
    try:
        with os.scandir(missing.parent) as entries:
            names = {entry.name.casefold(): entry.name for entry in islice(entries, 10_000)}
    except OSError:
        return ""
    near = difflib.get_close_matches(missing.name.casefold(), names, n=1, cutoff=0.7)
    return f" (did you mean {missing.parent / names[near[0]]}?)" if near else ""


def _found(paths: Sequence[Path], selection: FileSelection) -> Iterator[ImageFile | Failure]:
    for item in _items(paths, selection):
        if isinstance(item, Failure):
            yield item
            continue
        if isinstance(item, tuple):
            where, status = item
        else:
            where = item
            try:
                status = os.stat(where)  # noqa: PTH116 - Path is too slow here
            except OSError as error:
                yield Failure(Path(where), reason(error))
                continue
        yield ImageFile(Path(where), status.st_size, status.st_mtime_ns)


def _items(paths: Sequence[Path], selection: FileSelection) -> Iterator[Item]:
    several = len(paths) > 1
    seen: set[str] = set()  # roots may overlap; within one, `_walk` enters each folder once
    for start in _starts(paths):
        items: Iterable[Item] = [start]
        if isinstance(start, tuple):
            where, status = start
            if stat.S_ISDIR(status.st_mode):
                items = walk(where, selection)
            elif not stat.S_ISREG(status.st_mode):
                items = [Failure(Path(where), "not a regular file")]
        for item in items:
            if several:  # strings, as hashing a Path costs more than the file's stat
                if (at := _place(item)) in seen:
                    continue
                seen.add(at)
            yield item


def _place(item: Item) -> str:
    if isinstance(item, tuple):
        return item[0]
    return os.fspath(item.path) if isinstance(item, Failure) else item
