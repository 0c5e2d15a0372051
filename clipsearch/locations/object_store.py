"""Object stores through fsspec: listing, sizes and versions, and reading with retries."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import IO, Any, TypeVar

from clipsearch.errors import UsageError, describe_error
from clipsearch.remote_path import RemotePath

T = TypeVar("T")

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "hf": "huggingface_hub"}
"""The package that fsspec needs for a scheme; `memory` needs none."""

ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; each later wait is twice as long."""

_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Errors that another attempt does not change."""

_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "blob_id")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its size in bytes, and a time in ns that another version does not have."""

    path: RemotePath
    size: int
    mtime_ns: int


def require_package(path: RemotePath) -> None:
    """Raise UsageError if the package for an object store is missing."""
    _file_system(path.scheme)


def list_objects(prefix: RemotePath) -> Iterator[StoredObject]:
    """Yield the objects at or below a prefix, by name, without reading them; raises OSError."""
    system = _file_system(prefix.scheme)
    found: Mapping[str, Any] = _repeat(lambda: system.find(prefix.key, detail=True))
    for name in sorted(found):
        yield _to_object(prefix.scheme, name, found[name])


def match_objects(pattern: RemotePath) -> list[RemotePath]:
    """Return the objects whose name matches a glob, sorted; raises OSError."""
    system = _file_system(pattern.scheme)
    names: list[str] = _repeat(lambda: system.glob(pattern.key))
    return [_to_path(pattern.scheme, name) for name in sorted(names)]


def find_object(path: RemotePath) -> StoredObject | None:
    """Return the object of exactly this name, or None; raises OSError if that is not known."""
    system = _file_system(path.scheme)
    try:
        info = _repeat(lambda: system.info(path.key))
    except FileNotFoundError:
        return None
    return _to_object(path.scheme, path.key, info) if info.get("type") == "file" else None


def read_object(path: RemotePath) -> bytes:
    """Return the bytes of an object; raises OSError."""
    system = _file_system(path.scheme)
    data: bytes = _repeat(lambda: system.cat_file(path.key))
    return data


def open_object(path: RemotePath) -> IO[bytes]:
    """Open an object to be read from its start to its end; raises OSError."""
    system = _file_system(path.scheme)
    stream: IO[bytes] = _repeat(lambda: system.open(path.key, "rb"))
    return stream


@cache
def _file_system(scheme: str) -> Any:
    """Return fsspec's file system of a scheme; credentials are those of the environment."""
    package = PACKAGES.get(scheme, "fsspec")
    try:
        import fsspec  # late: an extra

        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)
    except ImportError as error:
        names = "'clipsearch[scale]'" if package == "fsspec" else f"'clipsearch[scale]' {package}"
        raise UsageError(f"{scheme}:// needs other packages: pip install {names}") from error
    except Exception as error:  # missing credentials, in every package another error
        raise UsageError(f"{scheme}:// cannot be used: {describe_error(error)}") from error


def _repeat(call: Callable[[], T]) -> T:
    """Call until it succeeds, at most ATTEMPTS times; raise OSError."""
    wait = FIRST_WAIT
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except _FINAL:
            raise
        except Exception as error:  # of the network, in every package another class
            if attempt == ATTEMPTS:
                raise OSError(None, f"the object store: {describe_error(error)}") from error
            time.sleep(wait)
            wait *= 2
    raise AssertionError


def _to_object(scheme: str, name: str, info: Mapping[str, Any]) -> StoredObject:
    return StoredObject(_to_path(scheme, name), int(info.get("size") or 0), _version_time(info))


def _to_path(scheme: str, name: str) -> RemotePath:
    return RemotePath(f"{scheme}://{name.removeprefix('/')}")


def _version_time(info: Mapping[str, Any]) -> int:
    """Return the whole seconds of the time of an object, and of its version a hash as the rest.

    Two versions of one second differ, and so do those in a store that knows no times.
    """
    seconds = next((_seconds(info[name]) for name in _TIMES if info.get(name)), 0)
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    if not version:
        return round(seconds * 1_000_000) * 1_000
    digest = hashlib.blake2b(version.encode(), digest_size=8).digest()
    return int(seconds) * 1_000_000_000 + int.from_bytes(digest) % 1_000_000_000


def _seconds(moment: object) -> float:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment) if isinstance(moment, int | float) else 0.0
