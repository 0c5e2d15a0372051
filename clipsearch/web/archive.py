"""Files of stored images as a ZIP, written while they are read."""

import io
import re
import zipfile
from collections.abc import Generator, Sequence
from pathlib import PurePosixPath

from clipsearch.escape import escape_control
from clipsearch.web.problems import Problem
from clipsearch.web.stored_images import StoredImage

CHUNK = 1 << 20
UNREADABLE = "unreadable.txt"
"""The name of the file in a ZIP that lists what could not be read."""


def zip_chunks(images: Sequence[StoredImage]) -> Generator[bytes]:
    """Yield the bytes of a ZIP with the files of some images, uncompressed, as they are anyway.

    Files that cannot be read are listed in the text file UNREADABLE.
    """
    out = _Buffer()
    names = _Names()
    failures = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for image in images:
            path = image.record.path
            try:
                file = image.open()
            except Problem as problem:
                failures.append(f"{escape_control(str(path))}: {problem.detail}\n")
                continue
            with file, archive.open(_entry(image, names), "w", force_zip64=True) as entry:
                try:
                    while chunk := file.read(CHUNK):
                        entry.write(chunk)
                        yield out.take()
                except OSError as error:
                    failures.append(f"{escape_control(str(path))} is cut: {error.strerror}\n")
            yield out.take()
        if failures:
            archive.writestr(names.free(UNREADABLE), "".join(failures))
    yield out.take()


def _entry(image: StoredImage, names: "_Names") -> zipfile.ZipInfo:
    taken_at = image.record.taken_at
    year = taken_at.year if taken_at else 0
    when = taken_at.timetuple()[:6] if taken_at and 1980 <= year < 2108 else (1980, 1, 1, 0, 0, 0)
    entry = zipfile.ZipInfo(names.free(_text(image.record.path.name)), when)
    entry.external_attr = 0o644 << 16
    return entry


def _text(name: str) -> str:
    """Return a name in Unicode that Windows can extract, for which a backslash is a folder."""
    return re.sub(r'[\\:*?"<>|]', "_", escape_control(name))


class _Names:
    """Names that were not given yet: a second a.jpg becomes a (2).jpg."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def free(self, name: str) -> str:
        """Return the name, with a number if it was given before; case does not tell names apart."""
        path, number, free = PurePosixPath(name), 1, name
        while free.lower() in self._given:
            number += 1
            free = f"{path.stem} ({number}){path.suffix}"
        self._given.add(free.lower())
        return free


class _Buffer(io.RawIOBase):
    """Takes what the ZIP writes until it is taken from here; it cannot be read or rewound."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return and remove what was written."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
