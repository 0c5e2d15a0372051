"""The daemon's server: answers greetings at once, and serves each connection in a thread."""

import contextlib
import hmac
import logging
import os
import secrets
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from clipsearch.daemon import pickles, protocol
from clipsearch.daemon.encoder_pool import EncoderPool
from clipsearch.daemon.endpoint import Endpoint, fingerprint, is_own_peer, listen, lock_endpoint
from clipsearch.daemon.log_relay import LogRelay
from clipsearch.daemon.outcome import attempt, picklable, picklable_call
from clipsearch.daemon.request_service import LocalCalls, answer
from clipsearch.daemon.shared_backend import Session, SharedBackend, ShutdownError
from clipsearch.uri import StoreURI

log = logging.getLogger("clipsearch.daemon")

GREETING_SECONDS = 5.0


class Server:
    """Listens from its creation on, until it was idle for `idle` seconds or is stopped."""

    def __init__(
        self,
        endpoint: Endpoint | None,
        uri: StoreURI,
        token: str | None,
        *,
        idle: float | None,
        model_ttl: float | None = None,
        url: str | None = None,
    ) -> None:
        """Raises StoreError if the store has a daemon already.

        Without an endpoint only this process uses it. Without `idle` it runs until it is stopped.
        Models that were not used for `model_ttl` seconds are unloaded. `url` is where this
        process serves a page.
        """
        self._lock_fd = None if endpoint is None else lock_endpoint(endpoint)
        self._endpoint = endpoint
        self.uri = uri
        self._access_key = uri.access_key(token)
        self._fingerprint = fingerprint()  # of the code as it is now, not later
        self._idle = idle
        self._model_ttl = model_ttl
        self._url = url
        self._store = SharedBackend(uri, token)
        self.encoders = EncoderPool()
        self._sessions: Counter[str] = Counter()  # connections of each
        self._connections: set[socket.socket] = set()
        self._last_used = time.monotonic()
        self._started = time.time()
        self._state_lock = threading.Lock()
        self.relay = LogRelay()
        logging.getLogger("clipsearch").addHandler(self.relay)
        self._wakeup, self._waker = socket.socketpair()
        self._is_stopping = threading.Event()
        self._has_stopped = threading.Event()
        self._listener = None if endpoint is None else listen(endpoint)

    def run(self, before_close: Callable[[], None] | None = None) -> None:
        """Serve; return after stopping, when the store is closed.

        `before_close` is called when no new connection is accepted and the store is still open.
        """
        with selectors.DefaultSelector() as selector:
            if self._listener is not None:
                selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            while not self._is_stopping.is_set():
                if self._model_ttl is not None:
                    self.encoders.unload_unused(self._model_ttl)
                seconds_left = self._seconds_left()
                if seconds_left <= 0:
                    log.info("idle for %.0f s", self._idle)
                    break
                for key, _ in selector.select(min(seconds_left, (self._model_ttl or 240) / 4)):
                    if self._listener is not None and key.fileobj is self._listener:
                        connection, _ = self._listener.accept()
                        threading.Thread(
                            target=self._handle, args=(connection,), daemon=True
                        ).start()
                    else:
                        self._wakeup.recv(64)
        self._shut_down(before_close)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._is_stopping.is_set()

    def open_calls(self, *, create: bool) -> LocalCalls:
        """Return a new session for a user in this process; see `clipsearch.daemon.host`."""
        session = Session(secrets.token_hex(8), os.getpid(), create)
        self._begin(session)
        return LocalCalls(self._store, self.encoders, session, partial(self._end, session))

    def stop(self) -> None:
        """Stop soon; may be called from any thread or a signal handler."""
        self._is_stopping.set()
        self._wake()

    def _shut_down(self, before_close: Callable[[], None] | None) -> None:
        self._is_stopping.set()
        # From here on new commands open the store directly, and wait briefly for the file's lock.
        if self._endpoint is not None and self._listener is not None:
            self._endpoint.socket.unlink(missing_ok=True)
            self._listener.close()
        if before_close is not None:
            before_close()
        self._store.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
        # Only now: sessions with a pending call notice the end, and open the file themselves.
        self._has_stopped.set()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        logging.getLogger("clipsearch").removeHandler(self.relay)

    def _seconds_left(self) -> float:
        with self._state_lock:
            if self._sessions or self._idle is None:
                return 60.0
            return self._last_used + self._idle - time.monotonic()

    def _handle(self, connection: socket.socket) -> None:
        """Handle one connection from its greeting on."""
        with connection:
            try:
                if not is_own_peer(connection):
                    return
                connection.settimeout(GREETING_SECONDS)
                greeting = protocol.receive_message(connection, max_bytes=protocol.GREETING_BYTES)
                response = self._respond(greeting)
                protocol.send_message(connection, response)
                connection.settimeout(None)
                if greeting.get("request") == "stop":
                    self.stop()
                    self._has_stopped.wait()
                elif response["response"] == "accepted":
                    serve = {"request": self._serve_request, "calls": self._serve_calls}
                    session = (greeting["session"], greeting["pid"], greeting["create"])
                    serve[greeting["purpose"]](Session(*session), connection)
            except (ShutdownError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
                log.debug("a connection ended: %r", error)

    def _respond(self, greeting: protocol.Message) -> dict[str, Any]:
        """Return the response to a greeting of any version, with the daemon's status."""
        request = greeting.get("request")
        if self._is_stopping.is_set():
            return {"response": "stopping", **self._status()}
        if request == "extend":
            with self._state_lock:
                self._idle = None if self._url else float(greeting["idle"])
                self._last_used = time.monotonic()
            self._wake()
        if request != "connect":
            return {"response": "ok", **self._status()}
        if greeting.get("fingerprint") != self._fingerprint:
            return {"response": "outdated", **self._status()}
        if not hmac.compare_digest(str(greeting.get("access_key")), self._access_key):
            return {"response": "denied"}
        return {"response": "accepted"}

    def _status(self) -> dict[str, Any]:
        with self._state_lock:
            sessions = sum(self._sessions.values())
            left = None
            if self._idle is not None and not sessions:
                left = self._last_used + self._idle - time.monotonic()
            return {
                "pid": os.getpid(),
                "since": self._started,
                "idle": self._idle,
                "left": left,
                "sessions": sessions,
                "writer": self._store.writer_pid,
                "models": self.encoders.names,
                "url": self._url,
            }

    @contextlib.contextmanager
    def _in_use(self, session: Session, connection: socket.socket) -> Iterator[LocalCalls]:
        """Count a connection of a session while it is served."""
        self._connections.add(connection)
        self._begin(session)
        try:
            yield LocalCalls(self._store, self.encoders, session)
        finally:
            self._end(session)
            self._connections.discard(connection)

    def _begin(self, session: Session) -> None:
        with self._state_lock:
            self._sessions[session.session_id] += 1

    def _end(self, session: Session) -> None:
        """Count one connection of a session less; after its last one, let others write."""
        with self._state_lock:
            self._sessions[session.session_id] -= 1
            self._sessions += Counter()  # removes those at 0
            self._last_used = time.monotonic()
            has_ended = session.session_id not in self._sessions
        if has_ended:
            self._store.end_writes(session)
        self._wake()

    def _serve_calls(self, session: Session, connection: socket.socket) -> None:
        """Make the calls of a session until it ends."""
        self.relay.send_to(lambda *log: pickles.send(connection, ("log", log)))
        with self._in_use(session, connection) as calls:
            while True:
                target, arguments, options = pickles.receive(connection)
                call = partial(picklable_call, calls.call, target, *arguments, **options)
                kind, value = attempt(target, call)
                pickles.send(connection, (kind, picklable(value) if kind == "error" else value))

    def _serve_request(self, session: Session, connection: socket.socket) -> None:
        """Answer one request."""
        self.relay.send_to(lambda *log: protocol.send_message(connection, {"log": log}))
        with self._in_use(session, connection) as calls:
            request = protocol.receive_message(connection)
            kind, value = attempt("a request", partial(answer, calls, self.uri, request))
            if kind == "error":
                value = {"type": type(value).__name__, "message": str(value)}
            protocol.send_message(connection, {kind: value})

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"?")


def handle_signals(server: Server) -> None:
    """Stop the server on SIGTERM, SIGHUP and SIGINT; Ctrl-C of a terminal does not reach it."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
