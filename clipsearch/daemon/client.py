"""A command's side of its talk with the warm process."""

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from typing import Any

from clipsearch.daemon import protocol
from clipsearch.daemon.endpoint import Place, existing, fingerprint, is_own_peer

log = logging.getLogger("clipsearch")

ANSWER_SECONDS = 10.0
"""A greeting is answered at once, whatever else the process does; but the machine may be busy."""
SILENCE_SECONDS = 10.0
"""How long a call may be silent before somebody looks whether the process still lives."""
END_SECONDS = 20.0
"""How long one that is asked to end may finish what it does."""


class LostError(Exception):
    """No warm process does it: go the direct way. Internal; no caller of the library sees it."""


class Link:
    """One session with a warm process; a new connection is made after an interrupted call."""

    def __init__(self, place: Place, *, known: str, create: bool) -> None:
        """Use `Link.find` instead."""
        self._place = place
        self._known = known
        self._create = create
        # The same for all its connections: what the session holds survives a Ctrl-C within a call.
        self._session = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._others: list[Link] = []

    @classmethod
    def find(cls, key: str, known: str, *, create: bool) -> "Link | None":
        """Greet the warm process of the store `key`; None where there is none that could be used.

        `known` is the `secret` of the store, `create` whether a missing file may be made. One of other code is asked to end, and has given the store free when this returns.
        """
        place = existing(key)
        if place is None:
            return None
        link = cls(place, known=known, create=create)
        try:
            link._connect()
        except LostError:
            return None
        return link

    def another(self) -> "Link":
        """One more session with the same process, for another thread; closed with this one."""
        other = Link(self._place, known=self._known, create=self._create)
        self._others.append(other)
        return other

    def call(self, target: str, *arguments: Any, **options: Any) -> Any:
        """Have something done there; raise what it raises, or LostError where it cannot be done."""
        with self._lock:
            try:
                kind, value = self._exchange((target, arguments, options))
            except (OSError, EOFError, LostError) as error:
                self._drop()
                raise LostError(str(error)) from error
            except BaseException:  # Ctrl-C: the answer, if it comes, belongs to nobody
                self._drop()
                raise
        if kind == "raised":
            raise value
        if kind == "failed":
            raise LostError(value)
        return value

    def close(self) -> None:
        """Say goodbye; more than once is fine."""
        with self._lock:
            self._drop()
        for other in self._others:
            other.close()

    def _exchange(self, request: object) -> tuple[str, Any]:
        connected = self._socket or self._connect()
        protocol.send(connected, request)
        while True:
            kind, value = protocol.receive(connected, self._require_life)
            if kind != "said":
                return kind, value
            log.log(*value)  # what the library said there is for the caller to hear

    def _connect(self) -> socket.socket:
        greeting = {
            "wish": "work",
            "fingerprint": fingerprint(),
            "secret": self._known,
            "session": self._session,
            "pid": os.getpid(),
            "create": self._create,
        }
        try:
            connected, answer = _greet(self._place, greeting)
        except TimeoutError as error:
            log.warning(
                "the warm process of this store does not answer: `clipsearch warm --stop` ends it"
            )
            raise LostError(str(error)) from error
        except (OSError, EOFError, ValueError) as error:  # a socket that a dead one left
            raise LostError(str(error)) from error
        if answer.get("answer") != "welcome":
            connected.close()
            if answer.get("answer") == "outdated":
                log.info("the warm process is of another version or environment: it ends")
                stop(self._place)
            raise LostError(str(answer.get("answer")))
        connected.settimeout(SILENCE_SECONDS)
        self._socket = connected
        return connected

    def _require_life(self) -> None:
        if ask(self._place, "status") is None:
            raise LostError("it does not answer any more")

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def ask(place: Place, wish: str, **more: Any) -> protocol.Greeting | None:
    """Greet the warm process with a wish ("status", "stop", "stay"); None where nobody answers."""
    try:
        connected, answer = _greet(place, {"wish": wish, **more})
    except (OSError, EOFError, ValueError):
        return None
    connected.close()
    return answer


def stop(place: Place, *, seconds: float = END_SECONDS) -> bool:
    """Ask the warm process to end and wait until it has given the store free; whether it has."""
    try:
        connected, _ = _greet(place, {"wish": "stop"})
    except TimeoutError:
        return False
    except (OSError, EOFError, ValueError):  # nobody is there
        return True
    with connected:
        deadline = time.monotonic() + seconds
        connected.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while connected.recv(1):  # nothing but its end comes any more
                if time.monotonic() > deadline:
                    break
            return True
    return False


def _greet(place: Place, greeting: protocol.Greeting) -> tuple[socket.socket, protocol.Greeting]:
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(ANSWER_SECONDS)
        connected.connect(str(place.socket))
        if not is_own_peer(connected):
            raise ConnectionRefusedError("the socket is of another user")
        protocol.send_greeting(connected, greeting)
        return connected, protocol.receive_greeting(connected)
    except BaseException:
        connected.close()
        raise
