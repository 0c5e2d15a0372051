"""Locations in object stores, as paths that no call of the operating system can open."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

SCHEMES = ("s3", "gs", "az", "abfs", "hf", "memory")
"""The object stores that are read, through fsspec."""

_URI = re.compile(rf"({'|'.join(SCHEMES)})://+([^/].*)", re.IGNORECASE | re.DOTALL)

if TYPE_CHECKING:
    _LocalPath = Path
else:
    _LocalPath = type(Path())


class RemotePath(_LocalPath):
    """The URI of an object or prefix, such as s3://bucket/folder/a.jpg.

    It is a Path, so that a record has one kind of location. `str` returns the URI, in which "//"
    and ".." have no meaning. Names, parents and comparisons work; whatever would reach the local
    file system, `os.fspath` too, raises OSError, or tells that there is no such file.
    """

    __slots__ = ("_uri",)
    _uri: str

    def __new__(cls, uri: str) -> RemotePath:
        match = _URI.fullmatch(uri)
        if match is None:
            raise ValueError(f"not a URI of {', '.join(SCHEMES)}: {uri!r}")
        self = super().__new__(cls, uri)
        self._uri = f"{match[1].lower()}://{match[2]}"
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return RemotePath, (self._uri,)

    def __str__(self) -> str:
        return self._uri

    def __fspath__(self) -> NoReturn:
        self.stat()  # or `open` and the functions of `os` would take it for a relative path

    def __repr__(self) -> str:
        return f"RemotePath({self._uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._uri == other._uri

    def __hash__(self) -> int:
        return hash(self._uri)

    def as_posix(self) -> str:
        """Return the URI."""
        return self._uri

    def as_uri(self) -> str:
        """Return the URI."""
        return self._uri

    @property
    def scheme(self) -> str:
        """The kind of object store: one of SCHEMES."""
        return self._uri.partition("://")[0]

    @property
    def key(self) -> str:
        """The bucket and the object's key, as fsspec names them."""
        return self._uri.partition("://")[2]

    @property
    def name(self) -> str:
        """What follows the last "/"."""
        return self._uri.rpartition("/")[2]

    @property
    def parent(self) -> RemotePath:
        """The URI up to the last "/"; that of a bucket is itself."""
        folder, _, _ = self.key.rpartition("/")
        return RemotePath(f"{self.scheme}://{folder}") if folder.strip("/") else self

    @property
    def parents(self) -> Sequence[RemotePath]:
        """The URIs of all prefixes that end before a "/", the longest first."""
        found = [self]
        while (parent := found[-1].parent) != found[-1]:
            found.append(parent)
        return tuple(found[1:])

    def is_absolute(self) -> bool:
        """Return True."""
        return True

    def is_relative_to(self, other: str | os.PathLike[str], *_: Any) -> bool:
        """Tell whether this is `other`, or lies below it."""
        folder = str(other).rstrip("/")
        return self._uri == str(other) or self._uri.startswith(f"{folder}/")

    def relative_to(self, other: str | os.PathLike[str], *_: Any) -> Path:  # type: ignore[override]
        """Return what follows `other`; raise ValueError if this does not lie below it."""
        if not self.is_relative_to(other):
            raise ValueError(f"{self} is not in {other}")
        return Path(self._uri[len(str(other).rstrip("/")) + 1 :])

    def joinpath(self, *names: str | os.PathLike[str]) -> RemotePath:
        """Return the URI of an object below this one."""
        return RemotePath("/".join([self._uri.rstrip("/"), *map(str, names)]))

    def __truediv__(self, name: str | os.PathLike[str]) -> RemotePath:
        return self.joinpath(name)

    def absolute(self) -> RemotePath:
        """Return the same URI."""
        return self

    def resolve(self, strict: bool = False) -> RemotePath:  # noqa: FBT001, FBT002 - as in Path
        """Return the same URI."""
        return self

    def expanduser(self) -> RemotePath:
        """Return the same URI."""
        return self

    def exists(self, **_: Any) -> bool:
        """Return False: there is no such local file."""
        return False

    def is_file(self, **_: Any) -> bool:
        """Return False: there is no such local file."""
        return False

    def is_dir(self, **_: Any) -> bool:
        """Return False: there is no such local folder."""
        return False

    def is_symlink(self) -> bool:
        """Return False: there is no such local file."""
        return False

    def stat(self, **_: Any) -> NoReturn:
        """Raise OSError: this is not a local file."""
        raise OSError(errno.ENOTSUP, "it is in an object store", self._uri)

    def lstat(self) -> NoReturn:
        """Raise OSError: this is not a local file."""
        self.stat()

    def open(self, *_: Any, **__: Any) -> NoReturn:
        """Raise OSError: this is not a local file."""
        self.stat()

    def iterdir(self) -> NoReturn:
        """Raise OSError: this is not a local folder."""
        self.stat()


def locate(text: str | os.PathLike[str]) -> Path:
    """Return the location that a text names: a RemotePath for a URI of SCHEMES, else a Path."""
    if isinstance(text, Path):
        return text
    name = os.fspath(text)
    return RemotePath(name) if _URI.fullmatch(name) else Path(name)
