"""The socket of a store's daemon: where it is, and which processes may use it."""

import hashlib
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clipsearch.errors import StoreError

if sys.platform != "win32":
    import fcntl

SOCKET_BYTES = 100
"""Maximum length of a Unix socket's path: 108 bytes on Linux, 104 on macOS."""

SHARED_PACKAGES = frozenset(
    {
        *("huggingface_hub", "milvus_lite", "numpy", "open_clip_torch", "openvino", "pillow"),
        *("pillow_heif", "pymilvus", "tokenizers", "torch", "transformers"),
    }
)
"""Packages whose version must be the same in a command and its daemon.

They read images, compute embeddings, talk to Milvus, or have objects that are sent by pickle.
"""

_CODE_FOLDERS = [Path(__file__).parents[2] / name for name in ("clipsearch", "ingest")]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The files of one store's daemon, in a folder that only this user can read."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """The Unix socket on which it listens."""
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """A file that is locked while it runs, and holds its process id."""
        return self.folder / f"{self.name}.lock"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / f"{self.name}.log"


def is_supported() -> bool:
    """Tell whether this system has Unix sockets and user ids; Windows does not."""
    return hasattr(socket, "AF_UNIX") and hasattr(os, "getuid") and bool(sys.executable)


def find_endpoint(store_key: str) -> Endpoint | None:
    """Return the endpoint of a store's daemon if there may be one, after a few stat calls."""
    if not is_supported():
        return None
    name = endpoint_name(store_key)
    for folder in _folders():
        endpoint = Endpoint(folder, name)
        if len(os.fsencode(endpoint.socket)) > SOCKET_BYTES:
            continue
        # Unlike Path.exists, this raises nothing in a folder that may not be searched.
        if os.path.exists(endpoint.socket):  # noqa: PTH110
            return endpoint if _is_private(folder) else None
    return None


def create_endpoint(store_key: str) -> Endpoint:
    """Return the endpoint of a store's daemon, with its folder; raise OSError if there is none."""
    name = endpoint_name(store_key)
    for folder in _folders():
        endpoint = Endpoint(folder, name)
        if len(os.fsencode(endpoint.socket)) > SOCKET_BYTES:
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _is_private(folder):
            return endpoint
    raise OSError("no private folder for the daemon's socket: set XDG_RUNTIME_DIR to one")


def lock_endpoint(endpoint: Endpoint) -> int:
    """Lock the endpoint for the life of this process; return the file descriptor."""
    fd = os.open(endpoint.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StoreError("this store already has a daemon") from error
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def listen(endpoint: Endpoint) -> socket.socket:
    """Return a listening socket at an endpoint that this process has locked."""
    endpoint.socket.unlink(missing_ok=True)  # left by a killed daemon: this one holds the lock
    listener = socket.socket(socket.AF_UNIX)
    old_mask = os.umask(0o177)
    try:
        listener.bind(str(endpoint.socket))
    finally:
        os.umask(old_mask)
    listener.listen(64)
    return listener


def endpoint_name(store_key: str) -> str:
    """Return a short name for a store's key, which is a resolved path or a server's URI."""
    return hashlib.sha256(store_key.encode(errors="surrogateescape")).hexdigest()[:16]


@cache
def fingerprint() -> str:
    """Return a hash of everything that must be equal in a command and its daemon.

    That is our code, the interpreter, and the versions of SHARED_PACKAGES. Installing any other
    package changes nothing.
    """
    parts = [sys.version, sys.prefix, *_source_files(), *_package_versions()]
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def is_own_peer(connection: socket.socket) -> bool:
    """Tell whether the process at the other end is this user's.

    Only Linux reports it for a socket; elsewhere only the private folder protects the socket.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


def _source_files() -> list[str]:
    """Return our source files with their modification times."""
    sources = []
    for top in _CODE_FOLDERS:
        for folder, _, names in os.walk(top):
            modules = (name for name in names if name.endswith(".py"))
            paths = (os.path.join(folder, name) for name in modules)  # noqa: PTH118 - faster
            sources += [f"{path} {os.stat(path).st_mtime_ns}" for path in paths]  # noqa: PTH116
    return sorted(sources)


def _package_versions() -> list[str]:
    """Return the folders of metadata of SHARED_PACKAGES, whose names hold their versions.

    Reading the metadata with `importlib.metadata` takes several times as long.
    """
    metadata = set()
    for folder in {name for name in sys.path if name.endswith(("site-packages", "dist-packages"))}:
        try:
            entries = os.listdir(folder)  # noqa: PTH208 - faster
        except OSError:
            continue
        for entry in entries:
            match = re.fullmatch(r"(.+?)-.+\.(?:dist|egg)-info", entry)
            if match and re.sub(r"[-.]+", "_", match[1]).lower() in SHARED_PACKAGES:
                metadata.add(f"{folder}/{entry}")
    return sorted(metadata)


def _folders() -> Iterator[Path]:
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}"):
        if parent and Path(parent).is_dir():
            yield Path(parent, "clipsearch")
    # The second is short enough. Importing tempfile for the first would take 4 ms.
    for parent in dict.fromkeys((os.environ.get("TMPDIR") or "/tmp", "/tmp")):
        yield Path(parent, f"clipsearch-{os.getuid()}")


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return is_private and status.st_uid == os.getuid()
