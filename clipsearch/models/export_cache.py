"""Converted models in the user's cache folder, and what is known of the files they came from."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clipsearch.cache import atomic_write
from clipsearch.config import cache_folder

FORMAT = 1
"""Of what lies in the folders; a change makes all conversions anew."""

LIBRARIES = ("open_clip_torch", "openvino", "timm", "tokenizers", "torch", "transformers")
"""Whose versions a conversion depends on."""

MANIFEST = "manifest.json"
UNUSED_DAYS = 30
ABANDONED_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model's name while its files stay as they are.

    `key` names the folder of its conversion; `reason` says, instead, why it has none.
    """

    key: str = ""
    reason: str = ""


def folder() -> Path:
    """Where all conversions lie."""
    return cache_folder() / "models"


@cache
def versions() -> dict[str, str]:
    """The installed LIBRARIES' versions, "" for one that is not there; imports none of them."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def key(*parts: str) -> str:
    """32 hex digits of these parts and of all versions."""
    text = json.dumps([FORMAT, versions(), parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recall(name: str) -> Known | None:
    """What `remember` was told of a name, unless a source or a library has changed since."""
    try:
        record = json.loads(_record(name).read_text("utf-8"))
        sources = [Path(path) for path, *_ in record["sources"]]
        if (record["name"], record["format"], record["versions"]) != (name, FORMAT, versions()):
            return None
        if record["sources"] != _stamps(sources):
            return None
        return Known(**record["known"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never told, or damaged: it will be told again


def remember(name: str, sources: Sequence[Path], known: Known) -> None:
    """Note what is known of a name for as long as its sources, files or folders, do not change.

    Raises OSError where the folder takes no files.
    """
    path = _record(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "name": name,
        "format": FORMAT,
        "versions": versions(),
        "sources": _stamps(sources),
        "known": asdict(known),
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")


def manifest(key: str) -> dict[str, Any] | None:
    """The manifest of a whole conversion; None where there is none or a file has lost bytes."""
    place = folder() / key
    try:
        found: dict[str, Any] = json.loads((place / MANIFEST).read_text("utf-8"))
        whole = all((place / name).stat().st_size == size for name, size in found["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return found if whole else None


def publish(key: str, build: Callable[[Path], dict[str, Any]]) -> None:
    """Make the folder of a conversion, whole or not at all.

    `build` writes its files into a folder and returns what the manifest says besides their sizes.
    Two processes may do so at once: the first to end wins, and the other one's work is dropped.
    """
    root = folder()
    root.mkdir(parents=True, exist_ok=True)
    _tidy(root)
    work = Path(tempfile.mkdtemp(dir=root, prefix=".new-"))
    try:
        described = build(work)
        sizes = {path.name: path.stat().st_size for path in work.iterdir() if path.is_file()}
        described |= {"files": sizes, "versions": versions()}
        (work / MANIFEST).write_text(json.dumps(described), encoding="utf-8")
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
    finally:
        shutil.rmtree(work, ignore_errors=True)


def touch(key: str) -> None:
    """Note that a conversion is in use, once a day."""
    path = folder() / key / MANIFEST
    try:
        if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
            os.utime(path)
    except OSError:  # a cache that may be read only
        pass


def _tidy(root: Path) -> None:
    """Remove what a killed process left behind, and conversions by other versions that nobody used."""
    now = time.time()
    for path in root.iterdir():
        try:
            if path.name.startswith(".new-"):
                abandoned = now - path.stat().st_mtime > ABANDONED_SECONDS
            else:
                used = (path / MANIFEST).stat().st_mtime
                made_by = json.loads((path / MANIFEST).read_text("utf-8")).get("versions")
                abandoned = now - used > UNUSED_DAYS * 24 * 3600 and made_by != versions()
        except (OSError, ValueError):
            continue
        if abandoned:
            shutil.rmtree(path, ignore_errors=True)


def _record(name: str) -> Path:
    return folder() / "names" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _stamps(paths: Sequence[Path]) -> list[list[Any]]:
    """Path, size and times of each, which change with its content; a missing one has none."""
    stamps: list[list[Any]] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            stamps.append([str(path)])
        else:
            # Not a folder's size, which file systems count in their own ways.
            size = 0 if path.is_dir() else stat.st_size
            stamps.append([str(path), size, stat.st_mtime_ns, stat.st_ctime_ns])
    return stamps


def _sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # which cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
