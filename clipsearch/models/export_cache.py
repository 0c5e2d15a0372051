"""Converted models in the user's cache folder, and records of their source files."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clipsearch.abandoned import is_abandoned
from clipsearch.cache import atomic_write, make_cache_folder
from clipsearch.config import cache_folder
from clipsearch.interrupt import check_interrupt
from clipsearch.temporary_folder import NEW, TemporaryFolder

FORMAT = 2
"""Version of the folders' layout; a change makes all conversions again."""

LIBRARIES = ("open_clip_torch", "openvino", "timm", "tokenizers", "torch", "transformers")
"""Packages whose versions a conversion depends on."""

MANIFEST = "manifest.json"
UNUSED_DAYS = 30
DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """The conversion of a named model, valid while the model's files do not change.

    `key` names the folder of the conversion; `reason` says why there is none.
    """

    key: str = ""
    reason: str = ""


def folder() -> Path:
    """The folder of all conversions."""
    return cache_folder() / "models"


@cache
def versions() -> dict[str, str]:
    """The versions of LIBRARIES, "" for one that is not installed; imports none of them."""
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = ""
    return installed


def key(*parts: str) -> str:
    """32 hex digits of the hash of these parts and of FORMAT."""
    text = json.dumps([FORMAT, parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def load_record(name: str) -> ExportRecord | None:
    """The record of a model, unless its files or an installed library have changed since.

    A library that was uninstalled does not count: a conversion runs without torch.
    """
    try:
        saved = json.loads(_record_file(name).read_text("utf-8"))
        if (saved["name"], saved["format"]) != (name, FORMAT):
            return None
        if not _is_current(saved["versions"]) or saved["sources"] != _stamps(
            [Path(path) for path, *_ in saved["sources"]]
        ):
            return None
        return ExportRecord(**saved["record"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never saved, or damaged


def save_record(name: str, sources: Sequence[Path], record: ExportRecord) -> None:
    """Save the record of a model; it is valid until its sources, files or folders, change.

    Raises OSError if it cannot be written.
    """
    path = _record_file(name)
    make_cache_folder(path.parent)
    fields = {
        "name": name,
        "format": FORMAT,
        "versions": versions(),
        "sources": _stamps(sources),
        "record": asdict(record),
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(fields), encoding="utf-8")


def manifest(key: str) -> dict[str, Any] | None:
    """The manifest of a complete conversion; None if there is none or a file is truncated."""
    path = folder() / key
    try:
        fields: dict[str, Any] = json.loads((path / MANIFEST).read_text("utf-8"))
        is_complete = all(
            (path / name).stat().st_size == size for name, size in fields["files"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return fields if is_complete else None


def publish(key: str, build: Callable[[Path], dict[str, Any]]) -> None:
    """Create the folder of a conversion atomically.

    `build` writes the files into a folder and returns the manifest without their sizes. If two
    processes do so at once, the result of the first to finish is kept.
    """
    root = folder()
    make_cache_folder(root)
    _tidy(root)
    with TemporaryFolder(root, NEW) as work:
        fields = build(work)
        check_interrupt()
        sizes = {path.name: path.stat().st_size for path in work.iterdir() if path.is_file()}
        fields |= {"files": sizes, "versions": versions()}
        (work / MANIFEST).write_text(json.dumps(fields), encoding="utf-8")
        work.chmod(0o755)
        for path in [*work.iterdir(), work]:
            _sync(path)
        target = root / key
        if target.exists() and manifest(key) is None:  # damaged since
            shutil.rmtree(target, ignore_errors=True)
        try:
            work.rename(target)
        except OSError:
            if manifest(key) is None:
                raise
        _sync(root)


def stale_folders() -> list[Path]:
    """The folders of killed processes, and the conversions by other versions of the libraries."""
    stale = []
    for path in folder().glob("*"):
        try:
            if path.name.startswith(NEW):
                is_stale = is_abandoned(path)
            else:
                made_by = json.loads((path / MANIFEST).read_text("utf-8"))["versions"]
                is_stale = not _is_current(made_by)
        except (OSError, ValueError, KeyError):
            continue
        if is_stale:
            stale.append(path)
    return stale


def touch(key: str) -> None:
    """Update the time of last use of a conversion, at most once a day."""
    path = folder() / key / MANIFEST
    try:
        if time.time() - path.stat().st_mtime > DAY_SECONDS:
            os.utime(path)
    except OSError:  # a read-only cache
        pass


def describe_failure(error: OSError | MemoryError) -> str:
    """Why nothing could be saved, as the end of a sentence."""
    reason = getattr(error, "strerror", None) or str(error) or "out of memory"
    file = getattr(error, "filename", None)
    if file and not Path(file).is_relative_to(folder()):
        reason += f": {file}"
    return f"cannot be saved in {folder()} ({reason})"


def _tidy(root: Path) -> None:
    """Remove unused conversions by other versions."""
    now = time.time()
    for path in root.iterdir():
        try:
            used = (path / MANIFEST).stat().st_mtime
            made_by = json.loads((path / MANIFEST).read_text("utf-8"))["versions"]
            is_unused = now - used > UNUSED_DAYS * DAY_SECONDS and not _is_current(made_by)
        except (OSError, ValueError, KeyError):
            continue
        if is_unused:
            shutil.rmtree(path, ignore_errors=True)


def _is_current(made_by: Mapping[str, str]) -> bool:
    """Whether the installed libraries have these versions; missing libraries do not count."""
    return all(not now or now == made_by.get(name) for name, now in versions().items())


def _record_file(name: str) -> Path:
    return folder() / "names" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _stamps(paths: Sequence[Path]) -> list[list[Any]]:
    """Path, size and times of each file, which change with it; a missing one has none."""
    stamps: list[list[Any]] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            stamps.append([str(path)])
        else:
            # Not a folder's size, which file systems define differently.
            size = 0 if path.is_dir() else stat.st_size
            stamps.append([str(path), size, stat.st_mtime_ns, stat.st_ctime_ns])
    return stamps


def _sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
