"""All exceptions that clipsearch raises deliberately, as one tree.

    ClipsearchError
    ├── UsageError            an argument, option or file given by the caller is not usable
    ├── ImageError            a file cannot be decoded as an image
    │   ├── MissingDecoderError   its format needs a package that is not installed
    │   ├── MemoryLimitError      decoding it needs more memory than there is
    │   └── DecoderProcessError   the process of its decoder did not start, or was ended
    ├── ModelError            a model is missing or broken
    │   └── UnknownModelError     no model has this name (also a UsageError)
    ├── OutputError           a result cannot be written: the disk is full or broken
    ├── VectorError           an array is not a valid embedding
    │   └── ZeroVectorError   a row is zero, NaN or infinite
    │       └── CanceledQueryError    the terms of a query add up to nothing (also a UsageError)
    └── StoreError            the database cannot be opened, read or written
        ├── ModelMismatchError    the collection was created with another model
        ├── MissingCollectionError    the store has no collection of this name
        ├── MissingFieldError     the collection was made before there was a field
        ├── TooLargeError         a request or its answer does not fit into a message
        ├── RefusedRowsError      a row of a write does not fit; nothing was written
        ├── ReindexedError        another process has reindexed the collection meanwhile
        ├── BusyStoreError        another process has it open, or is writing to it
        └── DamagedStoreError     rows that were written are missing

A message says what happened, to which file or name, and what to try.
"""

import errno
from pathlib import Path


class ClipsearchError(Exception):
    """Base class of all exceptions that this library raises deliberately."""


class UsageError(ClipsearchError, ValueError):
    """An argument, option or file given by the caller is not usable."""


class ImageError(ClipsearchError):
    """A file cannot be decoded as an image; the message is the reason, without the path."""


class MissingDecoderError(ImageError):
    """A file's format needs a package that is not installed; the message names the extra."""


class MemoryLimitError(ImageError):
    """Decoding an image needs more memory than the limit; see `--max-memory`."""


class DecoderProcessError(ImageError):
    """The process of a decoder did not start, or somebody ended it; the image may be fine."""


class ModelError(ClipsearchError):
    """A model is unknown, its weights are missing, or its files are broken."""


class UnknownModelError(ModelError, UsageError):
    """No model has this name."""


class OutputError(ClipsearchError):
    """A result cannot be written: the disk is full or broken."""


class VectorError(ClipsearchError, ValueError):
    """An array is not a valid embedding: its shape, dtype or number of rows is wrong."""


class ZeroVectorError(VectorError):
    """A row cannot be normalized: it is zero, NaN or infinite."""


class CanceledQueryError(ZeroVectorError, UsageError):
    """The terms of a query cancel each other out."""


class StoreError(ClipsearchError):
    """The database cannot be opened, read or written."""


class ModelMismatchError(StoreError):
    """The collection holds embeddings of another model."""


class MissingCollectionError(StoreError):
    """The store has no collection of this name."""


class MissingFieldError(StoreError):
    """The collection was made by a version without a field that is needed."""


class TooLargeError(StoreError):
    """A request or its answer does not fit into one message; smaller ones do."""


class RefusedRowsError(StoreError):
    """The store does not accept a row: a field does not fit. Nothing was written."""


class ReindexedError(StoreError):
    """Another process has reindexed the collection since it was opened: open it again."""


class BusyStoreError(StoreError):
    """Another process has the store open, or is writing to it; wait until it has finished."""


class DamagedStoreError(StoreError):
    """The store holds fewer rows than were written to it."""


MESSAGE_LENGTH = 300
"""Maximum length of another library's message within one of ours."""


def describe_error(error: Exception) -> str:
    """Return the message of another library's error as one line of limited length."""
    return shorten(str(getattr(error, "message", "") or error) or type(error).__name__)


def shorten(text: str) -> str:
    """Return a text as one line of at most MESSAGE_LENGTH characters."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LENGTH else f"{line[: MESSAGE_LENGTH - 1]}…"


DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a disk that is full or broken, which another folder or permission does not mend."""


def of_process(error: BaseException) -> bool:
    """Whether no file can be opened now: the error says nothing about the one that was tried.

    That may also be the cause of the error.
    """
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return True
    return error.__cause__ is not None and of_process(error.__cause__)


def write_error(path: Path, error: OSError) -> ClipsearchError:
    """Return the error of a result that cannot be written: whose fault it is tells its class."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in DISK_ERRORS:
        return OutputError(f"{path} cannot be written ({reason}): make room and run again")
    return UsageError(
        f"{path} cannot be written ({reason}): choose a folder that exists and that you may write "
        "to"
    )
