"""Walk folders: the files in them that may be images, without junk folders."""

import os
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from clipsearch import arguments
from clipsearch.errors import of_process
from clipsearch.files.exclude import JUNK_FOLDERS, Exclusion
from clipsearch.files.pseudo import PseudoFileSystems
from clipsearch.files.skipped import SkippedFiles
from clipsearch.images.formats import HEADER_SIZE, SUFFIXES, sniff, suffixes_of
from clipsearch.images.optional import missing_decoders
from clipsearch.types import Failure

_RAW = frozenset(suffixes_of("raw"))
_PAIRED_WITH_RAW = frozenset(suffixes_of("jpeg") + suffixes_of("heif"))


@dataclass(frozen=True, slots=True)
class FileSelection:
    """Which files of a folder to include; files that are named explicitly are always included.

    A pattern in `exclude` without "/" matches the name of a file or folder at any depth. A pattern
    with "/" matches the path relative to the given folder; one that starts with "/" or "~" also
    matches the absolute path. In these, "*" stays within one name and "**" crosses folders. Nothing
    in an excluded folder is included. `everything` adds dotfiles and junk folders, `follow_links`
    follows symbolic links to folders. `skip_raw_pairs` leaves out camera raw files beside
    a JPEG or HEIC of the same name. A str in `exclude` is one pattern. Raises UsageError on values
    of other types.
    """

    exclude: tuple[str, ...] = ()
    everything: bool = False
    follow_links: bool = False
    skip_raw_pairs: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", arguments.texts("patterns to exclude", self.exclude))
        for name in ("everything", "follow_links", "skip_raw_pairs"):
            object.__setattr__(self, name, arguments.flag(name, getattr(self, name)))


def walk(
    root: str, selection: FileSelection, skipped: SkippedFiles, pseudo: PseudoFileSystems
) -> Iterator[str | Failure]:
    """Yield candidate files below a folder: in each folder its files by name, then its folders.

    Files of other formats, and those that need a missing decoder, are counted in `skipped`.
    Folders on `pseudo` file systems, and links to files there, are not opened.
    """
    readable = SUFFIXES - missing_decoders().keys()
    exclusion = Exclusion(selection.exclude)
    entered: set[tuple[int, int] | str] = set()
    pending = [(root, "")]  # a folder and its path relative to the root, "" or ending in "/"
    while pending:
        folder, relative = pending.pop()
        try:
            status = Path(folder).stat()
            # Some Windows file systems have no inode numbers; the path identifies a folder there.
            identity = (status.st_dev, status.st_ino) if status.st_ino else folder
            if identity in entered:  # a loop, or a second way to the same folder
                continue
            entered.add(identity)
            if pseudo.skips(status.st_dev, folder):
                continue
            names, special = _list_folder(folder)
        except OSError as error:
            yield os_failure(folder, error, prefix="cannot list the folder: ")
            continue
        if not selection.everything:
            names = [name for name in names if not name.startswith(".")]
        if exclusion:
            join = os.path.join  # Path is too slow here
            matches = exclusion.matches
            names = [name for name in names if not matches(join(folder, name), relative + name)]
        pairs = _raw_pairs(folder, names) if selection.skip_raw_pairs else ()
        subfolders: list[tuple[str, str]] = []
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - Path is too slow here
            if name in pairs:
                skipped.raw_pairs += 1
                continue
            entry = special.get(name)
            try:
                if entry and entry.is_dir(follow_symlinks=selection.follow_links):
                    if selection.everything or name.lower() not in JUNK_FOLDERS:
                        # Resolve links, so that a file has one path however it is reached.
                        location = os.path.realpath(path) if entry.is_symlink() else path
                        subfolders.append((location, f"{relative}{name}/"))
                elif entry and _is_broken_link(entry, name):
                    yield Failure(Path(path), "the link points to nothing", "missing")
                elif _is_candidate(path, suffix := _suffix(name), entry, readable, pseudo):
                    yield path
                elif entry is None or Path(path).is_file():
                    skipped.add(suffix)
            except OSError as error:
                yield os_failure(path, error)
        pending.extend(reversed(subfolders))


def _list_folder(folder: str) -> tuple[list[str], dict[str, os.DirEntry[str]]]:
    """The sorted names in a folder, and the entries of those that are not regular files.

    An entry takes ten times the memory of its name, and a folder may hold very many files.
    """
    names, special = [], {}
    with os.scandir(folder) as scan:
        for entry in scan:
            names.append(entry.name)
            if not _is_regular(entry):
                special[entry.name] = entry
    return sorted(names), special


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:  # raised and reported again when `walk` reaches the entry
        return False


def _is_broken_link(entry: os.DirEntry[str], name: str) -> bool:
    """Whether the name is that of an image, but a link to nothing; raises OSError on a loop."""
    return (
        _suffix(name) in SUFFIXES
        and not entry.is_file()
        and entry.is_symlink()
        and not Path(entry.path).exists()
    )


def _raw_pairs(folder: str, names: list[str]) -> set[str]:
    """The names of camera raw files beside a JPEG or HEIC file of the same name."""
    stems = {
        _stem(name)
        for name in names
        if _suffix(name) in _PAIRED_WITH_RAW and Path(folder, name).is_file()
    }
    return {name for name in names if _suffix(name) in _RAW and _stem(name) in stems}


def _stem(name: str) -> str:
    return name.rpartition(".")[0].casefold()


def _is_candidate(
    path: str,
    suffix: str,
    entry: os.DirEntry[str] | None,
    readable: Set[str],
    pseudo: PseudoFileSystems,
) -> bool:
    """Whether a path that is not a folder is a file of a format with one of these suffixes.

    `entry` is None for a regular file. Raises OSError if the file cannot be examined.
    """
    if suffix and suffix not in readable:
        return False
    # Opening a pipe, a socket or a device could wait forever.
    if entry and (not entry.is_file() or pseudo.type_of(entry.stat().st_dev)):
        return False
    return bool(suffix) or _has_image_header(path)


def _suffix(name: str) -> str:
    """The lower-case suffix with its dot, or "" (also for ".name" and "name.")."""
    stem, dot, suffix = name.lstrip(".").rpartition(".")
    return f".{suffix.lower()}" if dot and suffix and stem else ""


def _has_image_header(path: str) -> bool:
    # Non-blocking, in case a pipe has taken the file's place since the folder was listed.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        if of_process(error):
            raise
        return False  # nothing indicates an image, so this is not a failure
    try:
        # A file with neither a suffix nor a signature, as TGA has none, is rarely an image.
        return sniff(os.read(handle, HEADER_SIZE)) not in (None, "tga")
    except OSError:
        return False
    finally:
        os.close(handle)


def os_failure(path: str | Path, error: OSError, *, prefix: str = "") -> Failure:
    """The Failure for an OSError on a path, with the reason in a few words.

    Raises the error again if it is not one of this path, as with too many open files.
    """
    if of_process(error):
        raise error
    path = path if isinstance(path, Path) else Path(path)
    if isinstance(error, FileNotFoundError):
        return Failure(path, f"{prefix}it no longer exists", "missing")
    return Failure(path, prefix + (error.strerror or str(error)).lower())
