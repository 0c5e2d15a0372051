"""The warm process: answers greetings at once, and serves each session in a thread of its own."""

import contextlib
import hmac
import logging
import os
import pickle
import selectors
import signal
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any

from clipsearch.daemon import protocol
from clipsearch.daemon.endpoint import Place, fingerprint, is_own_peer
from clipsearch.daemon.resources import HeldModels, HeldStore, LeavingError, Session
from clipsearch.errors import ClipsearchError, StoreError
from clipsearch.store.address import Address

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("clipsearch.daemon")

GREETING_SECONDS = 5.0


class Server:
    """Listens at its place from creation on, until it has been idle for `idle` seconds or is told."""

    def __init__(self, place: Place, address: Address, token: str | None, *, idle: float) -> None:
        """Raises StoreError where another one is there already."""
        self._lock = _locked(place)
        self._place = place
        self._known = address.secret(token)
        self._fingerprint = fingerprint()  # of the code as it is now, not later
        self._idle = idle
        self._store = HeldStore(address.text, address.path, token)
        self._models = HeldModels()
        self._sessions: Counter[str] = Counter()
        self._connections: set[socket.socket] = set()
        self._last = time.monotonic()
        self._since = time.time()
        self._guard = threading.Lock()
        self._heard = _Relay()
        logging.getLogger("clipsearch").addHandler(self._heard)
        self._woken, self._waker = socket.socketpair()
        self._leaving = threading.Event()
        self._ended = threading.Event()
        self._listener = _listening(place)

    def run(self) -> None:
        """Serve; return when it is over and the store has been given free."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._woken, selectors.EVENT_READ)
            while not self._leaving.is_set():
                left = self._seconds_left()
                if left <= 0:
                    log.info("idle for %.0f s", self._idle)
                    break
                for key, _ in waiting.select(left):
                    if key.fileobj is self._listener:
                        connected, _ = self._listener.accept()
                        threading.Thread(target=self._meet, args=(connected,), daemon=True).start()
                    else:
                        self._woken.recv(64)
        self._end()

    def leave(self) -> None:
        """End soon; from any thread, or a signal's handler."""
        self._leaving.set()
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def _end(self) -> None:
        log.info("ending")
        self._leaving.set()
        # New commands go the direct way from here on, and wait a little for the file's lock.
        self._place.socket.unlink(missing_ok=True)
        self._listener.close()
        self._store.close()
        os.close(self._lock)
        # Only now: those in the middle of something see the end, and open the file themselves.
        self._ended.set()
        with self._guard:
            for connected in self._connections:
                with contextlib.suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)
        logging.getLogger("clipsearch").removeHandler(self._heard)
        log.info("ended")

    def _seconds_left(self) -> float:
        with self._guard:
            if self._sessions:
                return 60.0
            return self._last + self._idle - time.monotonic()

    def _meet(self, connected: socket.socket) -> None:
        """One connection, from its greeting on."""
        with connected:
            try:
                if not is_own_peer(connected):
                    return
                connected.settimeout(GREETING_SECONDS)
                greeting = protocol.receive_greeting(connected)
                answer = self._answer(greeting)
                protocol.send_greeting(connected, answer)
                connected.settimeout(None)
                if greeting.get("wish") == "stop":
                    self.leave()
                    self._ended.wait()
                elif answer["answer"] == "welcome":
                    session = Session(
                        str(greeting["session"]), int(greeting["pid"]), bool(greeting["create"])
                    )
                    self._serve(connected, session)
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                log.debug("a connection ended: %r", error)

    def _answer(self, greeting: protocol.Greeting) -> dict[str, Any]:
        """To a greeting, of whatever version: a word, and how things stand."""
        wish = greeting.get("wish")
        if self._leaving.is_set():
            return {"answer": "leaving", **self._state()}
        if wish == "stay":
            with self._guard:
                self._idle = float(greeting["idle"])
                self._last = time.monotonic()
            self._wake()
        if wish != "work":
            return {"answer": "fine", **self._state()}
        if greeting.get("fingerprint") != self._fingerprint:
            return {"answer": "outdated"}
        if not hmac.compare_digest(str(greeting.get("secret")), self._known):
            return {"answer": "stranger"}
        return {"answer": "welcome"}

    def _state(self) -> dict[str, Any]:
        with self._guard:
            sessions = sum(self._sessions.values())
            left = None if sessions else self._last + self._idle - time.monotonic()
            return {
                "pid": os.getpid(),
                "since": self._since,
                "idle": self._idle,
                "left": left,
                "sessions": sessions,
                "models": self._models.names,
                "open": self._store.is_open,
            }

    def _serve(self, connected: socket.socket, session: Session) -> None:
        with self._guard:
            self._sessions[session.name] += 1
            self._connections.add(connected)
        self._heard.speak_to(connected)
        try:
            while True:
                target, arguments, options = protocol.receive(connected)
                reply = self._reply(session, target, arguments, options)
                if reply is None:
                    return
                protocol.send(connected, reply)
        finally:
            with self._guard:
                self._connections.remove(connected)
                self._sessions[session.name] -= 1
                self._sessions += Counter()  # without those at 0
                self._last = time.monotonic()
                over = session.name not in self._sessions
            if over:
                self._store.leave(session)
            self._wake()

    def _reply(
        self, session: Session, target: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[str, Any] | None:
        try:
            if target == "store":
                return "done", self._store.call(session, *arguments, **options)
            if self._leaving.is_set():
                return None
            return "done", self._models.call(*arguments, **options)
        except LeavingError:
            return None
        except ClipsearchError as error:
            return "raised", _portable(error)
        except Exception as error:
            log.exception("%s failed", target)
            return "failed", f"{type(error).__name__}: {error}"

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"?")


class _Relay(logging.Handler):
    """Passes what the library says in a session's thread on to its command."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._here = threading.local()

    def speak_to(self, connected: socket.socket) -> None:
        """What this thread's calls say goes there from now on."""
        self._here.connected = connected

    def emit(self, record: logging.LogRecord) -> None:
        connected = getattr(self._here, "connected", None)
        if connected is not None and not record.name.startswith("clipsearch.daemon"):
            with contextlib.suppress(OSError):
                protocol.send(connected, ("said", (record.levelno, record.getMessage())))


def _portable(error: ClipsearchError) -> ClipsearchError:
    """The error if it can travel, else one with its words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever it carries
        return StoreError(str(error))
    return error


def _locked(place: Place) -> int:
    """The lock of the place, held as long as the process lives."""
    fd = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StoreError("a warm process of this store is there already") from error
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def _listening(place: Place) -> socket.socket:
    place.socket.unlink(missing_ok=True)  # of one that was killed: we hold its lock
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(place.socket))
    finally:
        os.umask(mask)
    listener.listen(64)
    return listener


def handle_signals(server: Server) -> None:
    """Let SIGTERM and its kin end it well; Ctrl-C of a terminal does not reach it."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: server.leave())
