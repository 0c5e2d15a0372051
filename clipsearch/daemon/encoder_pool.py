"""The encoders that the daemon holds for its sessions."""

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime

log = logging.getLogger("clipsearch.daemon")

MAX_ENCODERS = 3
"""Encoders to keep; the least recently used idle one is dropped first."""

PROPERTIES = frozenset(
    {"identity", "logit_scale", "input_size", "center_crop", "preprocessing", "has_patches"}
)
"""Properties of an encoder; None if it lacks one, as some have no `preprocessing` to send."""

_KINDS = {"encode_images": "images", "encode_texts": "texts"}

METHODS = frozenset({"preprocess", "encode_images", "encode_texts", "text_losses"})

ModelKey: TypeAlias = tuple[str, Runtime]


@dataclass
class _PooledEncoder:
    """An encoder, with a lock for each tower: a search must not wait for a batch of an ingest."""

    key: ModelKey
    loading: threading.Lock = field(default_factory=threading.Lock)
    images: threading.Lock = field(default_factory=threading.Lock)
    texts: threading.Lock = field(default_factory=threading.Lock)
    encoder: Encoder | None = None
    users: int = 0
    last_used: float = 0.0

    def load(self) -> Encoder:
        with self.loading:
            if self.encoder is None:
                self.encoder = registry.load(*self.key)
            return self.encoder


class EncoderPool:
    """Encoders by name and runtime, each loaded at its first use.

    An encoder that is in use stays, so that no model is loaded twice at once.
    """

    def __init__(self) -> None:
        self._encoders: OrderedDict[ModelKey, _PooledEncoder] = OrderedDict()
        self._lock = threading.Lock()
        self._batches: Counter[tuple[str, int]] = Counter()

    @property
    def names(self) -> list[str]:
        """The names of the loaded models."""
        with self._lock:
            return [name for (name, _), pooled in self._encoders.items() if pooled.encoder]

    def call(self, key: ModelKey, name: str, *arguments: Any) -> Any:
        """Return a property or call a method of an Encoder; raise AttributeError on other names."""
        if key[0] == "pocket":  # it ignores the options, as the client says
            key = "pocket", Runtime.from_options()
        with self._borrow(key) as pooled:
            encoder = pooled.load()
            if name in PROPERTIES:
                return getattr(encoder, name, None)
            if name not in METHODS:
                raise AttributeError(name)
            if name == "preprocess":  # threads may call it at once
                from PIL import Image

                return encoder.preprocess(Image.fromarray(*arguments))
            if name == "text_losses" and not hasattr(encoder, name):  # it is optional
                return None
            if name in _KINDS:
                self._count(_KINDS[name], len(arguments[0]))
            with pooled.images if name == "encode_images" else pooled.texts:
                return getattr(encoder, name)(*arguments)

    def count_batches(self) -> Counter[tuple[str, int]]:
        """Return how many batches of how many "texts" or "images" were encoded."""
        with self._lock:
            return self._batches.copy()

    def _count(self, kind: str, size: int) -> None:
        with self._lock:
            self._batches[kind, size] += 1

    def unload_unused(self, seconds: float) -> None:
        """Drop the encoders that were not used for so many seconds."""
        latest = time.monotonic() - seconds
        with self._lock:
            for key, pooled in list(self._encoders.items()):
                if not pooled.users and pooled.last_used <= latest:
                    log.info("unloading %s, which was not used for %.0f s", key[0], seconds)
                    del self._encoders[key]

    @contextmanager
    def _borrow(self, key: ModelKey) -> Iterator[_PooledEncoder]:
        with self._lock:
            pooled = self._encoders.setdefault(key, _PooledEncoder(key))
            self._encoders.move_to_end(key)
            pooled.users += 1
            self._drop_idle()
        try:
            yield pooled
        finally:
            with self._lock:
                pooled.users -= 1
                pooled.last_used = time.monotonic()
                self._drop_idle()

    def _drop_idle(self) -> None:
        """Drop idle encoders beyond MAX_ENCODERS, the least recently used first."""
        excess = len(self._encoders) - MAX_ENCODERS
        idle = [key for key, pooled in self._encoders.items() if not pooled.users]
        for key in idle[: max(0, excess)]:
            del self._encoders[key]
