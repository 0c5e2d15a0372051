"""Load a model in the background before the store has named it."""

import contextlib
import json
import threading
from pathlib import Path

from clipsearch import config
from clipsearch.cache import atomic_write, make_cache_folder
from clipsearch.errors import ClipsearchError
from clipsearch.images.hashing import content_hash
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime


class PreloadedEncoder:
    """The text tower of a model, loading in a thread.

    The name of the model is a guess: `encoder` returns it only for the same name and runtime.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        """Start loading."""
        self._request = (name, runtime)
        self._encoder: Encoder | None = None
        # Not a daemon thread: a process that ends while native code runs may crash.
        self._thread = threading.Thread(target=self._load, name="model-preload")
        self._thread.start()

    def encoder(self, name: str, runtime: Runtime) -> Encoder | None:
        """Wait for the model; return None if it is another one or could not be loaded."""
        if self._request != (name, runtime):
            return None
        self._thread.join()
        return self._encoder

    def _load(self) -> None:
        name, runtime = self._request
        if registry.would_calibrate(name, runtime):  # not here, without images of the user
            return
        with contextlib.suppress(ClipsearchError, OSError):
            encoder = registry.load(name, runtime)
            encoder.encode_texts(["a"])  # compiles the text tower
            self._encoder = encoder


def start_preload(store: str, collection: str, runtime: Runtime) -> PreloadedEncoder | None:
    """Start loading the model that a collection had when it was last used; None if unknown."""
    name = recall_model(store, collection)
    return PreloadedEncoder(name, runtime) if name else None


def recall_model(store: str, collection: str) -> str | None:
    """The model that a collection had when its model was last loaded; None if unknown."""
    try:
        saved = json.loads(_file(store, collection).read_text("utf-8"))
        return str(saved["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_model(store: str, collection: str, name: str) -> None:
    """Save the name of a collection's model for later processes; ignore a read-only cache."""
    if recall_model(store, collection) == name:
        return
    file = _file(store, collection)
    with contextlib.suppress(OSError):
        make_cache_folder(file.parent)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps({"model": name}), encoding="utf-8")


def _file(store: str, collection: str) -> Path:
    name = content_hash(f"{store}\n{collection}".encode(errors="surrogateescape"))[:32]
    return config.cache_folder() / "models-of-stores" / f"{name}.json"
