"""A model that begins to load before the store has said which one it is."""

import contextlib
import json
import threading
from pathlib import Path

from clipsearch import config
from clipsearch.cache import atomic_write
from clipsearch.errors import ClipsearchError
from clipsearch.images.hashing import content_hash
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime


class PreloadedEncoder:
    """The text half of a model, being loaded in a thread since it is going to be needed.

    Which one is only a guess: `encoder` gives it out for the right name and options alone.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        """Begin."""
        self._wanted = (name, runtime)
        self._encoder: Encoder | None = None
        self._thread = threading.Thread(target=self._load, name="model-ahead")  # see `_load`
        self._thread.start()

    def encoder(self, name: str, runtime: Runtime) -> Encoder | None:
        """The model once it is loaded; None where it is another, or whoever loads it shall say why not."""
        if self._wanted != (name, runtime):
            return None
        self._thread.join()
        return self._encoder

    def _load(self) -> None:
        # No daemon: a process that ends in the middle of native code may crash.
        name, runtime = self._wanted
        with contextlib.suppress(ClipsearchError, OSError):
            encoder = registry.load(name, runtime)
            encoder.encode_texts(["a"])  # compiles it
            self._encoder = encoder


def start_preload(store: str, collection: str, runtime: Runtime) -> PreloadedEncoder | None:
    """Begin with the model that a collection had when it was last used; None if nobody knows it."""
    name = recall_model(store, collection)
    return PreloadedEncoder(name, runtime) if name else None


def recall_model(store: str, collection: str) -> str | None:
    """The model that a collection had when it was last searched by text; None if nobody knows."""
    try:
        found = json.loads(_file(store, collection).read_text("utf-8"))
        return str(found["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_model(store: str, collection: str, name: str) -> None:
    """Note a collection's model for the next process; where that cannot be, it goes without."""
    if recall_model(store, collection) == name:
        return
    file = _file(store, collection)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps({"model": name}), encoding="utf-8")


def _file(store: str, collection: str) -> Path:
    name = content_hash(f"{store}\n{collection}".encode(errors="surrogateescape"))[:32]
    return config.cache_folder() / "models-of-stores" / f"{name}.json"
