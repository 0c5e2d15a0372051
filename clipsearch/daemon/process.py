"""Starting the warm process of a store, asking after it, ending it."""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from clipsearch.daemon import client
from clipsearch.daemon.client import Link
from clipsearch.daemon.endpoint import Place, existing, made, supported
from clipsearch.errors import ClipsearchError, StoreError, UsageError
from clipsearch.models.runtime import Runtime
from clipsearch.store.address import locate

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("clipsearch")

VARIABLE = "CLIPSEARCH_WARM"
IDLE = 30 * 60.0
TERM_SECONDS = 5.0
"""How long one that hangs may take to end by itself before it is killed."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OFF = frozenset({"", "0", "no", "off", "false"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A warm process: the store's address, and what it loads before anybody asks.

    `idle` is in seconds; `collection` may not be there yet; `runtime` is that of the
    model.
    """

    uri: str
    token: str | None
    collection: str
    runtime: Runtime
    idle: float = IDLE


@dataclass(frozen=True, slots=True)
class State:
    """What a warm process says of itself; `left`: seconds to its end unless it is used again."""

    pid: int
    since: float
    idle: float
    left: float | None
    sessions: int
    models: list[str]


def seconds(text: str) -> float:
    """A span such as `30m`, `90s`, `2h` or `1d` in seconds; a bare number counts minutes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    span = float(match[1]) * _UNITS[match[2] or "m"] if match else 0
    if not 0 < span <= 366 * 86400:
        raise UsageError(f"{text!r} is no span of time: write 30m, 90s, 2h or 1d")
    return span


def start(wanted: Wanted) -> State:
    """Start it, or let the one that runs stay for that long; return once it is ready.

    Raises StoreError where the store cannot be opened, or the system has no Unix sockets.
    """
    place = _place(wanted.uri)
    address = locate(wanted.uri)
    session = Link.find(address.key, address.secret(wanted.token), create=False)
    if session is not None:
        session.close()
        client.ask(place, "stay", idle=wanted.idle)
    else:
        process = _spawn(wanted, place, report=subprocess.PIPE)
        assert process.stdout is not None
        try:
            _await_ready(process.stdout, place)
        except BaseException:
            process.terminate()  # whoever interrupts this has changed his mind
            process.wait()
            raise
    state = status(wanted.uri)
    if state is None:
        raise StoreError(f"the warm process ended again: see {place.log}")
    return state


def start_unless_off(uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Start one in the background where CLIPSEARCH_WARM asks for it; wait for nothing.

    Whatever goes wrong is a warning: the command that calls this has done its work.
    """
    span = os.environ.get(VARIABLE, "").strip().lower()
    if span in _OFF:
        return
    try:
        place = _place(uri)
        if client.ask(place, "status") is None:
            _spawn(
                Wanted(uri, token, collection, runtime, seconds(span)),
                place,
                report=subprocess.DEVNULL,
            )
    except (ClipsearchError, OSError) as error:
        log.warning("%s=%s: %s", VARIABLE, span, error)


def status(uri: str) -> State | None:
    """How a store's warm process stands; None where there is none, StoreError if it hangs."""
    place = _existing(uri)
    if place is None:
        return None
    answer = client.ask(place, "status")
    if answer is None or answer.get("answer") == "leaving":
        if answer is None and _holder(place):
            raise StoreError(
                f"the warm process ({_holder(place)}) does not answer: `clipsearch warm --stop` ends it"
            )
        return None
    return State(**{name: answer[name] for name in State.__slots__})


def stop(uri: str) -> bool:
    """End a store's warm process, by force where it does not answer; whether there was one."""
    place = _existing(uri)
    if place is None:
        return False
    there = client.ask(place, "status") is not None
    if there and client.stop(place):
        return True
    pid = _holder(place)
    if pid is None:
        place.socket.unlink(missing_ok=True)  # a dead one left it
        return there
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + TERM_SECONDS
        while _holder(place) == pid and time.monotonic() < deadline:
            time.sleep(0.02)
    return True


def _place(uri: str) -> Place:
    if not supported():
        raise StoreError("a warm process needs Unix sockets, which this system does not have")
    try:
        return made(locate(uri).key)
    except OSError as error:
        raise StoreError(f"no warm process: {error}") from error


def _await_ready(reports: IO[bytes], place: Place) -> None:
    """Pass on what it says while it loads; raise StoreError where it cannot open the store."""
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "error" in report:
            raise StoreError(f"no warm process: {report['error']} (more in {place.log})")
        if "said" in report:
            log.info("%s", report["said"])
        if "warnings" in report:
            for warning in report["warnings"]:
                log.warning("%s", warning)
            return
    raise StoreError(f"the warm process ended at once: see {place.log}")


def _existing(uri: str) -> Place | None:
    return existing(locate(uri).key)


def _holder(place: Place) -> int | None:
    """The number of the process that holds the lock, which no other one can have written."""
    try:
        with place.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                number = file.read().strip()
                return int(number) if number.isdecimal() else None
    except OSError:
        pass
    return None


def _spawn(wanted: Wanted, place: Place, *, report: int) -> subprocess.Popen[bytes]:
    log_file = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "clipsearch.daemon"],
            # Where our packages lie, also when they are a checkout that is not installed.
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=report,
            stderr=log_file,
            start_new_session=True,  # no Ctrl-C and no closing of the terminal reaches it
        )
    finally:
        os.close(log_file)
    # Not as an argument, which everybody can see: there may be a password in it.
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(wanted)).encode())
    process.stdin.close()
    return process
