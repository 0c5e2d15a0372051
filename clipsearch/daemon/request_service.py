"""Answers to whole requests in the daemon, with its connection to the store and its encoders."""

from collections.abc import Callable
from functools import partial
from typing import Any

from clipsearch.consistency import DEFAULT, parse_consistency
from clipsearch.daemon.connection import DaemonLostError
from clipsearch.daemon.encoder_pool import EncoderPool
from clipsearch.daemon.protocol import Message
from clipsearch.daemon.remote_backend import remote_backend
from clipsearch.daemon.remote_encoder import remote_encoder
from clipsearch.daemon.shared_backend import Session, SharedBackend, ShutdownError
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.query.request import parse_request
from clipsearch.query.response import SearchResponse, response_json
from clipsearch.query.search import respond
from clipsearch.query.store_status import store_status
from clipsearch.store import Collection, Store
from clipsearch.uri import StoreURI


class LocalCalls:
    """What a DaemonClient calls, within the daemon."""

    def __init__(
        self,
        store: SharedBackend,
        encoders: EncoderPool,
        session: Session,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        """Make the calls of one session; `close` calls `on_close`."""
        self._store = store
        self._encoders = encoders
        self._session = session
        self._on_close = on_close

    def call(self, target: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the store or of an encoder; raise ShutdownError at the end."""
        if target == "store":
            return self._store.call(self._session, *arguments, **options)
        if self._store.is_closed:
            raise ShutdownError
        return self._encoders.call(*arguments, **options)

    def open_another(self) -> "LocalCalls":
        """Return itself, which any thread can use."""
        return self

    def close(self) -> None:
        """End the session; the daemon closes the store."""
        if self._on_close is not None:
            self._on_close()


def answer(calls: LocalCalls, uri: StoreURI, request: Message) -> dict[str, Any]:
    """Answer a request of `clipsearch.daemon.request`, as JSON.

    Raises what it raises without a daemon, and DaemonLostError if the client must load the model
    itself: the daemon may have other weights or settings.
    """
    level = parse_consistency(request.get("consistency", DEFAULT))
    store = Store(remote_backend(calls, _shut_down, uri, level))
    if request["method"] == "status":
        return store_status(store)
    query = parse_request(request["query"])
    runtime = Runtime(**request["runtime"])

    def search(collection: Collection) -> SearchResponse:
        return respond(query, partial(_encoder, calls, collection, runtime), collection)

    return response_json(store.read(request["collection"], search))


def _encoder(calls: LocalCalls, collection: Collection, runtime: Runtime) -> Encoder:
    if registry.would_calibrate(collection.info.model.name, runtime):
        raise DaemonLostError("the client calibrates the model, on images of the collection")
    encoder = remote_encoder(calls, _shut_down, collection.info.model, runtime)
    if encoder is None:
        raise DaemonLostError("the daemon has no such model")
    return encoder


def _shut_down() -> Any:
    """Replace what a client does without a daemon."""
    raise ShutdownError
