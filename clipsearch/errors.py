"""Every error that clipsearch raises on purpose, as one tree.

    ClipsearchError
    ├── UsageError            a value that the caller gave cannot be used
    ├── ImageError            a file cannot be read as a picture
    ├── ModelError            a model is missing or broken
    │   └── UnknownModelError     no model has that name (also a UsageError)
    ├── VectorError           numbers that are no embedding
    │   └── ZeroVectorError   a row has no direction (zero, NaN or infinite)
    └── StoreError            the database cannot be opened, read or written
        ├── ModelMismatchError    the collection was made by another model
        ├── MissingCollectionError
        └── DamagedStoreError     rows that were written are gone

A message says what happened, to which file or name, and what to try.
"""


class ClipsearchError(Exception):
    """Base of all errors that this library raises on purpose."""


class UsageError(ClipsearchError, ValueError):
    """A value that the caller gave cannot be used."""


class ImageError(ClipsearchError):
    """A file cannot be read as a picture; the message is the reason, without the path."""


class ModelError(ClipsearchError):
    """A model is unknown, its weights are missing, or its files are broken."""


class UnknownModelError(ModelError, UsageError):
    """No model has that name."""


class VectorError(ClipsearchError, ValueError):
    """An array is not what an embedding must be (shape, dtype, count)."""


class ZeroVectorError(VectorError):
    """A row has no direction: all zero, NaN or infinite."""


class StoreError(ClipsearchError):
    """The database cannot be opened, read or written."""


class ModelMismatchError(StoreError):
    """The collection holds vectors of another model."""


class MissingCollectionError(StoreError):
    """No collection of that name is in this store."""


class DamagedStoreError(StoreError):
    """The store holds fewer rows than were written to it."""
