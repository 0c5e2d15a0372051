"""The images that are being decoded, noted so that a crash of the whole process tells which.

Most formats are decoded in threads. If a decoder ends the process, the next run decodes what was in
its journal in other processes, where a crash costs one image.
"""

import atexit
import logging
import mmap
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from clipsearch import config
from clipsearch.cache import make_cache_folder

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("clipsearch")

SLOTS = 256  # more threads than that do not decode at a time
_HASH = 16  # bytes of a content hash
_EMPTY = bytes(_HASH)
_SUFFIX = ".journal"


class DecodingJournal:
    """A file with one slot for each image that is being decoded.

    It is mapped into memory: a note costs microseconds, and the system writes it whatever happens
    to the process. `suspects` are the contents that were in the journals of processes that ended.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a journal in a folder, and take over those of ended processes there."""
        self._path = folder / f"{secrets.token_hex(8)}{_SUFFIX}"
        self._file = self._path.open("x+b")
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)  # until the process ends, in whatever way
        self._file.truncate(SLOTS * _HASH)
        self._slots = mmap.mmap(self._file.fileno(), SLOTS * _HASH)
        self._free = list(range(0, SLOTS * _HASH, _HASH))
        self.suspects: dict[bytes, int | None] = {}  # with their slots
        for path in folder.glob(f"*{_SUFFIX}"):
            if path != self._path:
                with suppress(OSError):  # such as PermissionError on Windows: it is in use
                    self._take_over(path)

    @contextmanager
    def note(self, content_hash: str) -> Iterator[bool]:
        """Note a content until the block ends; yield whether it is a suspect."""
        content = bytes.fromhex(content_hash)
        is_suspect = content in self.suspects
        slot = self.suspects[content] if is_suspect else self._write(content)
        try:
            yield is_suspect
        finally:
            self.suspects.pop(content, None)
            self._clear(slot)

    def close(self) -> None:
        """Remove the file, unless it has suspects that were not decoded."""
        self._slots.close()
        self._file.close()
        if not self.suspects:
            with suppress(OSError):
                self._path.unlink()

    def _take_over(self, path: Path) -> None:
        """Add the contents of another journal to the suspects, and remove it; may raise OSError."""
        with path.open("rb") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = file.read(SLOTS * _HASH)
        for at in range(0, len(data), _HASH):
            content = data[at : at + _HASH]
            if content != _EMPTY and content not in self.suspects:
                self.suspects[content] = self._write(content)
        if data:  # otherwise it begins just now
            path.unlink()

    def _write(self, content: bytes) -> int | None:
        try:
            slot = self._free.pop()
        except IndexError:
            return None
        self._slots[slot : slot + _HASH] = content
        return slot

    def _clear(self, slot: int | None) -> None:
        if slot is not None:
            self._slots[slot : slot + _HASH] = _EMPTY
            self._free.append(slot)


_lock = threading.Lock()


@contextmanager
def note_decoding(content_hash: str) -> Iterator[bool]:
    """Note in the journal of this process that a content is being decoded; see DecodingJournal."""
    with _lock:
        journal = _open_journal()
    if journal is None:
        yield False
    else:
        with journal.note(content_hash) as is_suspect:
            if is_suspect:
                _tell_of_suspects()
            yield is_suspect


@cache
def _tell_of_suspects() -> None:
    """Say once why images are decoded in another process; runs without such images say nothing."""
    log.info("an earlier run ended while it decoded images; these are decoded in another process")


@cache
def _open_journal() -> DecodingJournal | None:
    """Begin the journal of this process; None if the cache folder cannot be written."""
    folder = config.cache_folder() / "decoding"
    try:
        make_cache_folder(folder)
        journal = DecodingJournal(folder)
    except (OSError, ValueError) as error:
        log.info("cannot note in %s what is decoded: %s", folder, error)
        return None
    atexit.register(journal.close)
    return journal
