"""What the warm process keeps: one connection to Milvus and a few models."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from clipsearch.errors import StoreError
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.store import local_store
from clipsearch.store.milvus import Client
from clipsearch.store.milvus_lite import library

log = logging.getLogger("clipsearch.daemon")

PATIENCE_SECONDS = 1.0
"""How long a writer waits for another one, as for a file that another process has open."""

MODELS = 3
"""Kept at once; the one that was used longest ago goes first."""

READS = frozenset({"names", "fields", "flush", "count", "is_loaded", "query", "search"})
WRITES = frozenset({"create", "drop", "upsert", "delete"})
PROPERTIES = frozenset(
    {"identity", "logit_scale", "input_size", "center_crop", "preprocessing", "has_patches"}
)
"""None where an encoder has no such thing: not every one's preprocessing is a value."""

METHODS = frozenset({"preprocess", "encode_images", "encode_texts"})

ModelKey: TypeAlias = tuple[str, Runtime]
Seen: TypeAlias = tuple[int, int, int, int] | None


class LeavingError(Exception):
    """It ends, and does nothing any more."""


@dataclass
class Session:
    """One command's use of the store: `name` is the same for all its connections."""

    name: str
    pid: int
    create: bool
    checked: bool = False


class HeldStore:
    """A connection that sessions use in turns; one of them at a time may write."""

    def __init__(self, uri: str, path: Path | None, token: str | None) -> None:
        """Nothing is opened before the first call."""
        self._uri = uri
        self._path = path
        self._token = token
        self._turn = threading.Lock()
        self._client: Client | None = None
        self._seen: Seen = None
        self._closed = False
        self._writers = threading.Condition()
        self._writer: Session | None = None
        self._claims = 0

    @property
    def is_open(self) -> bool:
        """Whether the connection is there."""
        return self._client is not None

    def call(self, session: Session, method: str, *arguments: Any, **options: Any) -> Any:
        """Do what a Connection does; raise what it raises, AttributeError on another method."""
        if method == "claim":
            return self._claim(session)
        if method == "disclaim":
            return self.leave(session)
        if method in WRITES:
            self._claim(session)
        elif method not in READS:
            raise AttributeError(method)
        with self._turn:
            fresh = self._client is None
            client = self._ready(session)
            try:
                value = getattr(client, method)(*arguments, **options)
            except StoreError:
                if fresh or self._path is not None:
                    raise
                # A kept connection may know a server's collections as they were; a new one does not.
                self._let_go()
                value = getattr(self._ready(session), method)(*arguments, **options)
            finally:
                self._seen = _seen(self._path)
        return _plain(method, value)

    def leave(self, session: Session) -> None:
        """Let others write."""
        with self._writers:
            if self._writer is not None and self._writer.name == session.name:
                self._writer = None
                self._writers.notify_all()

    def close(self) -> None:
        """Wait for the call that runs, and give the store free; calls raise LeavingError then."""
        self._closed = True
        with self._turn:
            self._let_go()

    def _claim(self, session: Session) -> int:
        def mine() -> bool:
            return self._writer is None or self._writer.name == session.name

        with self._writers:
            if not self._writers.wait_for(mine, PATIENCE_SECONDS):
                assert self._writer is not None
                raise StoreError(
                    f"{self._path or 'the store'} is being written by another process "
                    f"({self._writer.pid}): wait until that one is done"
                )
            if self._writer is None:
                self._writer = session
                self._claims += 1
            return self._claims

    def _ready(self, session: Session) -> Client:
        if self._closed:
            raise LeavingError
        if not session.checked and self._client is not None and self._path is not None:
            if _seen(self._path) != self._seen:
                log.info(
                    "%s was changed or replaced by somebody else: opening it again", self._path
                )
                self._let_go()
            elif session.create:  # as opening it directly would, before anything is written
                native = library() is not None
                local_store.check(self._path, native=native, create=True)
        if self._client is None:
            self._client = Client(
                self._uri, path=self._path, token=self._token, create=session.create
            )
        session.checked = True
        return self._client

    def _let_go(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _seen(path: Path | None) -> Seen:
    """What tells a file from one that was put in its place or written by somebody else."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    if path.is_dir():  # of Milvus Lite 3, whose threads write when they like
        return (status.st_dev, status.st_ino, 0, 0)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _plain(method: str, value: Any) -> Any:
    """The value without anything of pymilvus's in it, vectors as arrays."""
    if method == "query":
        return [{name: _plain_field(field) for name, field in row.items()} for row in value]
    if method == "search":
        return [
            [
                (score, {name: _plain_field(field) for name, field in row.items()})
                for score, row in hits
            ]
            for hits in value
        ]
    return value


def _plain_field(field: Any) -> Any:
    if isinstance(field, str | int | float | np.ndarray) or field is None:
        return field
    items = list(field)
    return np.asarray(items, dtype=np.float32) if items and isinstance(items[0], float) else items


class _HeldModel:
    def __init__(self, key: ModelKey) -> None:
        self.key = key
        self.turn = threading.Lock()
        self.encoder: Encoder | None = None

    def ready(self) -> Encoder:
        if self.encoder is None:
            name, runtime = self.key
            self.encoder = registry.load(name, runtime)
        return self.encoder


class HeldModels:
    """Encoders by name and runtime, each loaded when first asked for."""

    def __init__(self) -> None:
        self._models: OrderedDict[ModelKey, _HeldModel] = OrderedDict()
        self._guard = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Those that are loaded."""
        with self._guard:
            return [name for (name, _), held in self._models.items() if held.encoder]

    def call(self, key: ModelKey, what: str, *arguments: Any) -> Any:
        """Do what an Encoder does; raise what it raises, AttributeError on something else."""
        with self._guard:
            held = self._models.pop(key, None) or _HeldModel(key)
            self._models[key] = held
            if len(self._models) > MODELS:
                self._models.popitem(last=False)
        with held.turn:
            encoder = held.ready()
            if what in PROPERTIES:
                return getattr(encoder, what, None)
            if what not in METHODS:
                raise AttributeError(what)
            if what == "preprocess":
                from PIL import Image

                arguments = (Image.fromarray(*arguments),)
            return getattr(encoder, what)(*arguments)
