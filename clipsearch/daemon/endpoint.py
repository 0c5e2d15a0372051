"""Where the warm process of a store is found, and whom to trust there."""

import hashlib
import os
import re
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOCKET_BYTES = 100
"""A Unix socket's address holds 108 bytes on Linux, 104 on macOS."""

_PACKAGES = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one store's warm process; the folder is this user's and nobody else's."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """Locked as long as it lives; holds its process number."""
        return self.folder / f"{self.name}.lock"

    @property
    def log(self) -> Path:
        """What it has to say that nobody was there to hear."""
        return self.folder / f"{self.name}.log"


def supported() -> bool:
    """Whether this system has what it takes: Unix sockets and user numbers, not on Windows."""
    return hasattr(socket, "AF_UNIX") and hasattr(os, "getuid") and bool(sys.executable)


def existing(address: str) -> Place | None:
    """The place of a store's warm process if there may be one: costs a look or two."""
    if not supported():
        return None
    name = store_name(address)
    for folder in _folders():
        place = Place(folder, name)
        if len(os.fsencode(place.socket)) <= SOCKET_BYTES and place.socket.exists():
            return place if _is_own(folder) else None
    return None


def made(address: str) -> Place:
    """The place of a store's warm process, its folder made; OSError where none can be."""
    name = store_name(address)
    for folder in _folders():
        place = Place(folder, name)
        if len(os.fsencode(place.socket)) > SOCKET_BYTES:
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _is_own(folder):
            return place
    raise OSError("there is no folder of your own for its socket: set XDG_RUNTIME_DIR to one")


def store_name(address: str) -> str:
    """A short name of a store's address (a resolved path, or a server's without its password)."""
    return hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:16]


def without_password(uri: str) -> str:
    """The address of a server as it may be shown."""
    return re.sub(r"//[^/@]*@", "//", uri)


def secret(uri: str, token: str | None) -> str:
    """What both sides must know to share a connection to a server; tells nobody else anything."""
    return hashlib.sha256(f"{uri}\0{token or ''}".encode(errors="surrogateescape")).hexdigest()


@cache
def fingerprint() -> str:
    """What must be equal on both sides: our code, the interpreter and the installed packages.

    By the times of our files and of the folders of packages, which every installation changes.
    """
    parts = [sys.version, sys.prefix]
    for top in ("clipsearch", "ingest"):
        for folder, _, files in os.walk(_PACKAGES / top):
            sources = (os.path.join(folder, name) for name in files if name.endswith(".py"))  # noqa: PTH118 - as quick as it gets
            parts += [f"{source} {os.stat(source).st_mtime_ns}" for source in sorted(sources)]  # noqa: PTH116
    for name in sorted({p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}):
        if (packages := Path(name)).is_dir():
            parts.append(f"{name} {packages.stat().st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(parts)).encode(errors="surrogateescape")).hexdigest()


def is_own_peer(connected: socket.socket) -> bool:
    """Whether the process at the other end is this user's.

    Only Linux says it of a socket; elsewhere the folder, which nobody else can enter, has to do.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


def _folders() -> Iterator[Path]:
    for top in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}"):
        if top and Path(top).is_dir():
            yield Path(top, "clipsearch")
    for top in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # the second has a short name
        yield Path(top, f"clipsearch-{os.getuid()}")


def _is_own(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return private and status.st_uid == os.getuid()
