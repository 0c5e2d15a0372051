"""Tar archives: their members in order, and one member by its name."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, BinaryIO, Self

from clipsearch.errors import UsageError
from clipsearch.locations.content import Content, FileRange, Held, Origin, ShortError, Unread
from clipsearch.locations.object_store import open_object
from clipsearch.remote_path import RemotePath

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", ZSTD_MAGIC)
_MAGIC_SIZE = 6
HELD_BYTES = 2 << 30
"""Of one member that is read while its archive is listed: a few MB can hold any number of zeros."""

SKIPPED_BYTES = 1 << 36
"""Of one member that is passed over: `tarfile` takes long to skip even what is not there."""

HEADER_BYTES = 1 << 20
"""Of a long name or other additional header: `tarfile` takes the memory that it claims."""

_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, LZMAError, ValueError, OverflowError)
"""What `tarfile` and its decompressors raise on a damaged archive, besides OSError."""


class DamagedArchiveError(OSError):
    """An archive cannot be read further; the members before this place are fine."""


class _Header(tarfile.TarInfo):
    """A header that must be whole: `tarfile` takes a damaged or missing one for the end.

    A valid archive ends with blocks of zeros, which all common writers add.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) < tarfile.BLOCKSIZE:
            raise DamagedArchiveError(None, "it has no end mark, so it may be cut")
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.TarError as error:
            if any(buf):
                raise DamagedArchiveError(None, f"it is damaged ({error})") from error
            raise  # the end
        if info.type in _HEADERS and info.size > HEADER_BYTES:
            raise DamagedArchiveError(None, f"it is damaged (a header of {info.size:,} bytes)")
        return info


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive.

    `name` has no "." or empty parts. `read` returns its bytes; while a compressed or remote archive
    is listed, it must be called before the next member.
    """

    name: str
    size: int
    read: Callable[[], Origin]


def read_members(archive: Path) -> Iterator[Member]:
    """Yield the regular files of a tar archive in order, in one pass.

    Those with the name of an earlier one or with ".." in it, links and devices are left out. A
    local archive without compression is not read itself, only its headers. Raises
    DamagedArchiveError where it is damaged, and OSError if it cannot be opened.
    """
    seen: set[int] = set()
    with _open(archive) as (tar, stamp):
        while (info := _next(tar)) is not None:
            if stamp is None and info.size > SKIPPED_BYTES:
                raise DamagedArchiveError(None, f"{info.name} seems to have {info.size:,} bytes")
            name = _clean(info.name)
            if name is None or not info.isfile() or info.issparse() or hash(name) in seen:
                continue
            seen.add(hash(name))
            if stamp is None:
                yield Member(name, info.size, partial(_hold, tar, info))
                continue
            origin = FileRange(archive, info.offset_data, info.size, stamp)
            if info.offset_data + info.size > stamp[0]:
                raise DamagedArchiveError(None, f"it ends within {name}")
            yield Member(name, info.size, lambda origin=origin: origin)  # type: ignore[misc]


def read_member(archive: Path, name: str) -> Content:
    """Return one member of a tar archive by its name.

    The places of the members of a local archive without compression are kept in memory; others are
    read from the start. Raises OSError.
    """
    if not isinstance(archive, RemotePath):
        status = archive.stat()
        index = _index(archive, (status.st_size, status.st_mtime_ns))
        if index is not None:
            if name not in index:
                raise FileNotFoundError(None, "the archive has no such member")
            return index[name].read()
    for member in read_members(archive):
        if member.name == name:
            return member.read().read()
    raise FileNotFoundError(None, "the archive has no such member")


@lru_cache(maxsize=4)
def _index(archive: Path, _stamp: tuple[int, int]) -> dict[str, Origin] | None:
    """Return the place of each member; None if the archive is compressed."""
    with archive.open("rb") as file:
        if file.read(_MAGIC_SIZE).startswith(_COMPRESSED):
            return None
    members: dict[str, Origin] = {}
    try:
        for member in read_members(archive):
            members[member.name] = member.read()
    except DamagedArchiveError:
        pass  # those before the damage can be read
    return members


@contextmanager
def _open(archive: Path) -> Iterator[tuple[tarfile.TarFile, tuple[int, int] | None]]:
    """Open an archive; with its size and mtime if its members can be read in any order."""
    with ExitStack() as opened:
        stamp = None
        stream: BinaryIO | IO[bytes]
        if isinstance(archive, RemotePath):
            stream = opened.enter_context(open_object(archive))
        else:
            stream = opened.enter_context(archive.open("rb"))
        head = stream.read(_MAGIC_SIZE)
        stream.seek(0)
        if not isinstance(archive, RemotePath) and not head.startswith(_COMPRESSED):
            status = os.fstat(stream.fileno())
            stamp = status.st_size, status.st_mtime_ns
        if head.startswith(ZSTD_MAGIC):
            stream = opened.enter_context(_decompress(stream))
        try:
            tar = opened.enter_context(
                tarfile.open(fileobj=stream, mode="r:" if stamp else "r|*", tarinfo=_Header)
            )
        except (DamagedArchiveError, *_DAMAGE) as error:
            raise DamagedArchiveError(None, f"it is not a tar archive ({error})") from error
        yield tar, stamp


def _decompress(stream: BinaryIO | IO[bytes]) -> IO[bytes]:
    try:
        import pyarrow  # late: an extra, and only for this compression
    except ImportError as error:
        raise UsageError(
            "archives with Zstandard need another package: pip install 'clipsearch[scale]'"
        ) from error
    file: IO[bytes] = pyarrow.CompressedInputStream(stream, "zstd")
    return file


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        info = tar.next()
    except DamagedArchiveError:
        raise
    except OSError as error:
        raise DamagedArchiveError(None, f"it is damaged ({error})") from error
    except _DAMAGE as error:
        raise DamagedArchiveError(None, f"it is damaged ({error})") from error
    tar.members = []  # type: ignore[attr-defined] # which would grow without end
    return info


def _hold(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Held | Unread:
    if info.size > HELD_BYTES:
        return Unread("too large for an image in a compressed archive")
    stream = tar.extractfile(info)
    assert stream is not None
    try:
        return Held(Content.of(stream.read, info.size))
    except (ShortError, *_DAMAGE) as error:
        raise DamagedArchiveError(None, f"it ends within {info.name}") from error


def _clean(name: str) -> str | None:
    """Return a member's name without "." and empty parts; None if it has ".." or is empty."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and ".." not in parts else None
