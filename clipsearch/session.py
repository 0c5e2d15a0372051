"""Opening a store, and the model of one of its collections, here or in a running daemon."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clipsearch import arguments, config
from clipsearch.consistency import Consistency
from clipsearch.daemon.client import DaemonClient
from clipsearch.daemon.endpoint import find_endpoint
from clipsearch.daemon.remote_backend import Calls, RemoteBackend, remote_backend
from clipsearch.daemon.remote_encoder import remote_encoder
from clipsearch.errors import StoreError, UnknownModelError
from clipsearch.files.sample import sample_images
from clipsearch.model_match import drop_empty, require_comparable
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.model_name import is_custom_name
from clipsearch.models.preload import PreloadedEncoder, remember_model, start_preload
from clipsearch.models.runtime import Runtime, log_ignored_options
from clipsearch.models.unknown_model import missing_custom_model_error
from clipsearch.open_collection import OpenCollection
from clipsearch.startup import ignore_milvus_uri
from clipsearch.store import Collection, Store
from clipsearch.store.backend import Backend
from clipsearch.store.index.choice import AUTO, check_index
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite.file_backend import FileBackend
from clipsearch.uri import parse_uri

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("clipsearch")


def open_store(
    uri: str | Path,
    *,
    token: str | None = None,
    create: bool = True,
    preload: str | None = None,
    daemon: bool = True,
    single_query: bool = False,
    consistency: Consistency | None = None,
) -> Store:
    """Open a store through its daemon if one runs, else in this process; see `Store.open`.

    With daemon=False a daemon is used only if needed. `single_query` opens a `FileBackend`.
    """
    location, level = parse_uri(uri), config.choose_consistency(consistency)
    backend = partial(FileBackend if single_query else MilvusBackend, consistency=level)
    open_direct = partial(backend, location, token=token, create=create, preload=preload)
    find = partial(DaemonClient.find, location.key, location.access_key(token), create=create)

    def open_backend(*, daemon: bool, reopen: Callable[[], Backend]) -> Backend:
        try:
            if not daemon or (client := find()) is None:
                return open_direct()
        except StoreError:
            if (client := find()) is None:  # one may just have started and locked the file
                raise
        return remote_backend(client, reopen, location, level)

    reopen = partial(open_backend, daemon=False, reopen=open_direct)  # or with its successor
    return Store(open_backend(daemon=daemon, reopen=reopen), sample=not single_query)


def daemon_of(store: Store) -> Calls | None:
    """Return the session with the daemon that a store uses, if any."""
    return store.backend.client if isinstance(store.backend, RemoteBackend) else None


class Session(OpenCollection):
    """An open store, one of its collections, and the model of that collection.

    Use it from one thread at a time, and close it, best with `with`.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        model: str | Encoder | None = None,
        runtime: Runtime | None = None,
        preloaded: PreloadedEncoder | None = None,
        index: str = AUTO,
        recall: float | None = None,
    ) -> None:
        """Use an open store, which `close` closes; `open` opens one.

        The collection `name` need not exist. Raises ModelMismatchError if another model made it.
        """
        super().__init__(store, name, model)
        if (index, recall) != (AUTO, None):
            present = None if self._collection is None else self._collection.info.index
            check_index(present, store.backend.capabilities(), index, recall)
        self._index, self._recall = index, recall
        self._runtime = runtime or Runtime()
        self._preloaded = preloaded

    @classmethod
    def open(
        cls,
        uri: str | Path | None = None,
        *,
        collection: str | None = None,
        model: str | Encoder | None = None,
        device: str = "auto",
        runtime: str | None = None,
        precision: str | None = None,
        token: str | None = None,
        create: bool = True,
        preload: bool = False,
        daemon: bool = True,
        single_query: bool = False,
        consistency: Consistency | None = None,
        index: str = AUTO,
        recall: float | None = None,
    ) -> Self:
        """Open a collection of a store: a file ending in `.db`, or the URI of a Milvus server.

        `uri` defaults to `CLIPSEARCH_URI`, else to a file in the user's data folder; `collection`
        to `CLIPSEARCH_COLLECTION`, else "images". The first `ingest` creates a missing collection
        with `model` (None and "auto" choose one; see `clipsearch models`). An existing collection
        knows its model: naming another raises ModelMismatchError. `model` may also be an `Encoder`
        of your own, which is then needed each time the collection is opened. `device` is auto, cpu,
        cuda or mps; `runtime` and `precision` default to `CLIPSEARCH_RUNTIME` (auto, torch,
        openvino) and `CLIPSEARCH_PRECISION` (auto, fp32, bf16, int8). The user's config.toml sets
        these defaults after the variables. With create=False a missing file is a StoreError.
        `preload` loads the model for text queries while the store opens. With daemon=False a
        running daemon is not used unless it has locked the file. `single_query` starts Milvus Lite
        only if something but a query without filters needs it. `consistency`: see `Consistency`.
        `index` is the kind of index of a new collection, and `recall` the share of the nearest
        images that searches are to find: see `clipsearch index`.
        """
        ignore_milvus_uri()  # before the thread that loads the model
        model_runtime = Runtime.from_options(device, runtime, precision)
        location = parse_uri(config.default_uri() if uri is None else uri)
        name = arguments.text("collection", collection or config.default_collection())
        is_cold = preload and not (daemon and find_endpoint(location.key))  # no daemon has it
        preloaded = start_preload(location.display, name, model_runtime) if is_cold else None
        store = open_store(
            location.text,
            token=token,
            create=create,
            preload=name,
            daemon=daemon,
            single_query=single_query,
            consistency=consistency,
        )
        try:
            return cls(store, name, model, model_runtime, preloaded, index, recall)
        except BaseException:
            store.close()
            raise

    def create_collection(self) -> Collection:
        """Return the collection; create it, for the vectors of the model, if it does not exist."""
        if self._collection is None:
            drop_empty(self.store, self.name)
            encoder = self.encoder
            collection = self.store.open_or_create(
                self.name, encoder.identity, index=self._index, recall=self._recall
            )
            require_comparable(collection, encoder)  # another process may have been faster
            self._collection = collection
            remember_model(self.store.uri, self.name, collection.info.model.name)
        return self._collection

    def drop_if_empty(self) -> None:
        """Delete a local collection without rows; on a server, others may be about to write."""
        with suppress(StoreError):
            if self.store.is_local and not self.collection.count():
                self.store.drop(self.name)
                self._collection = None

    @property
    def encoder(self) -> Encoder:
        """The collection's model, loaded at its first use."""
        return self.load()

    def load(self, new_files: Iterable[Path] = ()) -> Encoder:
        """Load the model, unless it is loaded; the log names the one for a new collection.

        If the model is calibrated now, that is on images of the collection and of `new_files`.
        Raises ModelMismatchError if the collection was made with other weights.
        """
        if self._encoder is None:
            encoder = self._load_encoder(new_files)
            if self._collection is not None:
                require_comparable(self._collection, encoder)
            self._encoder = encoder
        return self._encoder

    def _load_encoder(self, new_files: Iterable[Path]) -> Encoder:
        """Return the caller's encoder, the preloaded one, the daemon's, or one in this process."""
        if not (self._model is None or isinstance(self._model, str)):
            return self._model
        name = self._model_name()
        sample = partial(self._sample_images, new_files)
        load = partial(registry.load, name, self._runtime, sample=sample)
        if (expected := self.model) is None:
            return load()  # here, as it may be downloaded with a progress bar
        remember_model(self.store.uri, self.name, expected.name)
        if self._preloaded and (encoder := self._preloaded.encoder(name, self._runtime)):
            return encoder
        if registry.would_calibrate(name, self._runtime):
            return load()  # here, where the images of the collection are known
        try:
            if encoder := remote_encoder(daemon_of(self.store), load, expected, self._runtime):
                log_ignored_options(name, self._runtime)
            return encoder or load()
        except UnknownModelError as error:
            if not is_custom_name(name):
                raise
            raise missing_custom_model_error(self.name, name) from error

    def _sample_images(self, new_files: Iterable[Path], count: int) -> "list[Image]":
        """At most `count` images of the collection, or of the files to ingest."""
        stored = self._collection.scan() if self._collection else ()
        return sample_images(chain((record.path for record in stored), new_files), count)

    def _model_name(self) -> str:
        named = self._model if isinstance(self._model, str) and self._model != "auto" else ""
        # Of several ONNX exports of the collection's model, the one that is named.
        is_export = named and registry.parse_model_name(named).family == "onnx"
        if self.model is not None and not is_export:
            return self.model.name
        if named:
            return named
        name, reason = registry.choose_default()
        log.info("model %s: %s", name, reason)
        return name
