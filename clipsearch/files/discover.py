"""The image files that a user names: folders walked, paths checked, each file once."""

import difflib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self, TypeAlias

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.files.paths import canonical, describe_missing, expand_user, modified_ns
from clipsearch.files.pseudo import PseudoFileSystems, describe
from clipsearch.files.skipped import SkippedFiles
from clipsearch.files.walk import FileSelection, os_failure, walk
from clipsearch.images.formats import FORMATS
from clipsearch.locations.content import Origin
from clipsearch.records import Metadata
from clipsearch.types import Failure

LOCK_SUFFIX = ".db.lock"
"""End of the names of the files that lock a local store."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to read, by its canonical path, or an image in an archive or object store.

    `size` (bytes) and `mtime_ns` are those of the target if the file is a symbolic link;
    `mtime_ns` is as in `modified_ns`. An image that is not a file is read from `origin`, and has
    the time of its archive. `metadata` is what the source says about it. With `recheck` its content
    is compared even if size and time are those of its row, as its archive has changed.
    """

    path: Path
    size: int
    mtime_ns: int
    origin: Origin | None = None
    metadata: Metadata = field(default_factory=dict, hash=False)
    recheck: bool = False

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> Self:
        """Return the file at a canonical path with the size and time of its status."""
        return cls(path, status.st_size, modified_ns(status))


_NamedPath: TypeAlias = tuple[str, os.stat_result]
_Item: TypeAlias = _NamedPath | str | Failure


class FileSource:
    """The image files in and among some paths, each once; folders are walked in sorted order.

    Folders yield files with a known suffix, and files without a suffix whose first bytes are those
    of a known format. A file that is named explicitly is always included. Each iteration looks at
    the disk again and yields an ImageFile, or a Failure for a path that cannot be used.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        selection: FileSelection | None = None,
        *,
        strict: bool = True,
    ) -> None:
        """Check the paths; `~` is expanded.

        With `strict`, for paths that a person typed, raises UsageError if a path does not exist.
        Without it, for lists from a program, such a path becomes a Failure.
        """
        self._paths = [expand_user(path) for path in arguments.paths("paths", paths)]
        self._selection = arguments.instance("selection", selection, FileSelection)
        self._pseudo = PseudoFileSystems()
        roots = []
        for path in self._paths:
            try:
                status = path.stat()
            except (OSError, ValueError) as error:
                if strict:
                    _refuse_missing(path, error)
            else:
                if stat.S_ISDIR(status.st_mode) and not self._pseudo.type_of(status.st_dev):
                    roots.append(canonical(path))
        self.roots: list[Path] = list(dict.fromkeys(roots))
        """The folders among the paths, canonical, each once."""
        self.skipped = SkippedFiles()
        """Files in folders that the last iteration met and did not take."""

    @cached_property
    def locations(self) -> list[Path]:
        """The canonical path of every given path, folders and files."""
        return [canonical(path) for path in self._paths]

    def part(self, paths: Iterable[Path]) -> "FileSource":
        """Return a source of some of the locations, with the same selection."""
        return FileSource(paths, self._selection, strict=False)

    def __iter__(self) -> Iterator[ImageFile | Failure]:
        self.skipped = SkippedFiles()
        for item in self._items(self.skipped):
            if isinstance(item, Failure):
                yield item
                continue
            if isinstance(item, tuple):
                path, status = item
            else:
                path = item
                try:
                    status = os.stat(path)  # noqa: PTH116 - Path is too slow here
                except OSError as error:
                    yield os_failure(path, error)
                    continue
            if self._pseudo.type_of(status.st_dev):  # a file that is a mount of its own
                continue
            yield ImageFile.of(Path(path), status)

    def count(self) -> int:
        """Count what an iteration would yield now, without a stat call per file in a folder."""
        return sum(1 for _ in self._items(SkippedFiles()))

    def require_any(self) -> None:
        """Raise UsageError if nothing is found: ingesting an empty folder is usually a mistake."""
        if next(iter(self), None) is None:
            names = ", ".join(map(str, self._paths[:3]))
            more = " and others" if len(self._paths) > 3 else ""
            skipped = self.skipped.describe()
            raise UsageError(
                f"no images in {names}{more}: looked for {', '.join(sorted(FORMATS))}"
                f"{skipped and f'; skipped {skipped}'}; --all also includes dotfiles and junk "
                "folders"
            )

    def _items(self, skipped: SkippedFiles) -> Iterator[_Item]:
        several = len(self._paths) > 1
        roots, walked = set(self.roots), set[str]()
        seen: set[str] = set()  # paths may overlap; within one, `walk` enters each folder once
        for named in self._named_paths():
            items: Iterable[_Item] = [named]
            if isinstance(named, tuple):
                path, status = named
                if stat.S_ISDIR(status.st_mode):
                    # Folders may be given twice, or inside each other; their files count once.
                    again = path in walked or not roots.isdisjoint(Path(path).parents)
                    counter = SkippedFiles() if again else skipped
                    walked.add(path)
                    items = walk(path, self._selection, counter, self._pseudo)
                elif not stat.S_ISREG(status.st_mode):
                    items = [Failure(Path(path), "not a regular file", "invalid")]
            for item in items:
                if several:  # compare strings: hashing a Path costs more than a stat call
                    if (location := _location(item)) in seen:
                        continue
                    seen.add(location)
                yield item

    def _named_paths(self) -> Iterator[_NamedPath | Failure]:
        """The canonical path and status of each given path."""
        # Of a folder, as resolving it costs more than the stat call.
        folders: dict[str, tuple[str, str | None]] = {}
        for path in self._paths:
            parent, name = os.path.split(path)
            try:
                status = path.stat()
                is_folder = stat.S_ISDIR(status.st_mode)
                if not is_folder and parent not in folders:
                    folder = canonical(Path(parent))
                    folders[parent] = str(folder), self._pseudo.type_of(folder.stat().st_dev)
            except (OSError, ValueError) as error:
                yield _path_failure(path, error)
                continue
            kind = self._pseudo.type_of(status.st_dev)
            if is_folder:
                location = str(canonical(path))
            else:
                folder_path, folder_kind = folders[parent]
                location = os.path.join(folder_path, name)  # noqa: PTH118 - Path is too slow
                kind = kind or folder_kind
            if kind:
                yield Failure(Path(location), describe(kind), "invalid")
            elif location.endswith(LOCK_SUFFIX):  # closing it could unlock the store
                yield Failure(Path(location), "the lock of a store", "invalid")
            else:
                yield location, status


def _refuse_missing(path: Path, error: OSError | ValueError) -> None:
    """Raise UsageError if a path does not exist; other errors become a Failure of this path."""
    if isinstance(error, ValueError):  # a NUL byte in the name
        raise UsageError(f"not a path: {str(path)!r}") from error
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.is_symlink():
        missing = f"{describe_missing(path)}{_similar_name(path)}"
        raise UsageError(f"no such file or folder: {missing}") from error


def _path_failure(path: Path, error: OSError | ValueError) -> Failure:
    if isinstance(error, ValueError):
        return Failure(canonical(path), "not a path", "missing")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = "the link points to nothing" if path.is_symlink() else "no such file"
        if any("\udc80" <= character <= "\udcff" for character in str(path)):
            reason += " (its name is not UTF-8; if a list names it, save that as UTF-8)"
        return Failure(canonical(path), reason, "missing")
    return os_failure(canonical(path), error)


def _similar_name(path: Path) -> str:
    """A hint at a similar name next to the first missing part of `path`, or ""."""
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
    similar = difflib.get_close_matches(missing.name.casefold(), names, n=1, cutoff=0.7)
    return f" (did you mean {missing.parent / names[similar[0]]}?)" if similar else ""


def _location(item: _Item) -> str:
    if isinstance(item, tuple):
        return item[0]
    return str(item.path) if isinstance(item, Failure) else item
