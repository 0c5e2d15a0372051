"""Start the daemon of a store, read its status, stop it."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from clipsearch.config import child_environment
from clipsearch.daemon import connection
from clipsearch.daemon.client import DaemonClient
from clipsearch.daemon.endpoint import Endpoint, create_endpoint, find_endpoint, is_supported
from clipsearch.daemon.options import DaemonOptions, parse_duration
from clipsearch.errors import BusyStoreError, ClipsearchError, StoreError
from clipsearch.models.runtime import Runtime
from clipsearch.uri import parse_uri

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("clipsearch")

ENVIRONMENT_VARIABLE = "CLIPSEARCH_WARM"
TERMINATE_SECONDS = 5.0
"""How long a daemon that hangs may take to end after SIGTERM, before SIGKILL."""
SHARING_SECONDS = 60.0
"""How long a daemon runs without use that a command started for others."""
_OFF = frozenset({"", "0", "no", "off", "false"})


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The status of a daemon.

    `since` is its start as a Unix time, `idle` the time without use after which it stops, `left`
    the time until then (None while it is used), both in seconds. `idle` is None and `url` an
    address for browsers if it is `clipsearch serve`. `writer` is the process that writes.
    """

    pid: int
    since: float
    idle: float | None
    left: float | None
    sessions: int
    models: list[str]
    writer: int | None
    url: str | None


def start(options: DaemonOptions) -> DaemonStatus:
    """Start a daemon, or extend the idle time of the running one; return once it is ready.

    Raises StoreError if the store cannot be opened, or the system has no Unix sockets.
    """
    endpoint = _create_endpoint(options.uri)
    uri = parse_uri(options.uri)
    session = DaemonClient.find(uri.key, uri.access_key(options.token), create=False)
    if session is not None:
        session.close()
        connection.send_request(endpoint, "extend", idle=options.idle)
    else:
        process = _spawn(options, endpoint, reports=subprocess.PIPE)
        assert process.stdout is not None
        try:
            _wait_until_ready(process.stdout, endpoint)
        except BaseException:
            process.terminate()  # Ctrl-C stops the daemon, too
            process.wait()
            raise
    status = read_status(options.uri)
    if status is None:
        raise StoreError(f"the daemon ended at once: see {endpoint.log}")
    return status


def start_if_enabled(uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Start a daemon without waiting if CLIPSEARCH_WARM is set.

    Errors are only logged, since the calling command has done its work.
    """
    duration = os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower()
    if duration in _OFF:
        return
    try:
        endpoint = _create_endpoint(uri)
        if connection.send_request(endpoint, "status") is None:
            options = DaemonOptions(uri, token, collection, runtime, parse_duration(duration))
            _spawn(options, endpoint, reports=subprocess.DEVNULL)
    except (ClipsearchError, OSError) as error:
        log.warning("%s=%s: %s", ENVIRONMENT_VARIABLE, duration, error)


def start_for_others(uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Start a daemon, so that other commands can use a local store while this one writes for long.

    Without one, as on Windows, they wait or fail meanwhile, which is logged.
    """
    if parse_uri(uri).path is None or parse_uri(uri).is_new_file:
        return
    try:
        if read_status(uri) is None:
            start(DaemonOptions(uri, token, collection, runtime, SHARING_SECONDS))
    except (ClipsearchError, OSError) as error:
        log.warning("no other command can use the store meanwhile: %s", error)


def read_status(uri: str) -> DaemonStatus | None:
    """Return the status of a store's daemon; None without one, StoreError if it hangs."""
    endpoint = find_endpoint(parse_uri(uri).key)
    if endpoint is None:
        return None
    response = connection.send_request(endpoint, "status")
    if response is None or response.get("response") == "stopping":
        if response is None and (pid := _lock_holder(endpoint)):
            raise StoreError(
                f"the daemon ({pid}) does not answer: `clipsearch warm --stop` ends it"
            )
        return None
    if not response.keys() >= set(DaemonStatus.__slots__):
        raise StoreError(
            "the daemon runs another version of clipsearch: `clipsearch warm --stop` ends it"
        )
    return DaemonStatus(**{name: response[name] for name in DaemonStatus.__slots__})


def stop(uri: str) -> bool:
    """Stop a store's daemon, by a signal if it does not answer; tell whether there was one."""
    endpoint = find_endpoint(parse_uri(uri).key)
    if endpoint is None:
        return False
    is_answering = connection.send_request(endpoint, "status") is not None
    if is_answering and connection.stop(endpoint) and _lock_holder(endpoint) is None:
        return True
    pid = _lock_holder(endpoint)  # of a daemon that hangs, or does not understand the request
    if pid is None:
        endpoint.socket.unlink(missing_ok=True)  # left by a killed daemon
        return is_answering
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + TERMINATE_SECONDS
        while _lock_holder(endpoint) == pid and time.monotonic() < deadline:
            time.sleep(0.02)
    return True


def replace_daemon(uri: str) -> None:
    """Stop the daemon of a store, if any, so that this process can take its place.

    Raises BusyStoreError if a command writes through it, StoreError if it serves a page.
    """
    endpoint = find_endpoint(parse_uri(uri).key)
    status = None if endpoint is None else connection.send_request(endpoint, "status")
    if status is not None and (url := status.get("url")):
        raise StoreError(
            f"this store is already served at {url} by process {status['pid']}: "
            "`clipsearch warm --stop` ends it"
        )
    if status is not None and (writer := status.get("writer")):
        raise BusyStoreError(
            f"process {writer} is writing through the daemon of this store: run the command "
            "again when that has finished"
        )
    stop(uri)


def _create_endpoint(uri: str) -> Endpoint:
    if not is_supported():
        raise StoreError("a daemon needs Unix sockets, which this system does not have")
    try:
        return create_endpoint(parse_uri(uri).key)
    except OSError as error:
        raise StoreError(f"the daemon cannot be started: {error}") from error


def _wait_until_ready(reports: IO[bytes], endpoint: Endpoint) -> None:
    """Log the daemon's reports while it loads; raise StoreError if it cannot open the store."""
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "error" in report:
            raise StoreError(
                f"the daemon cannot be started: {report['error']} (more in {endpoint.log})"
            )
        if "log" in report:
            log.info("%s", report["log"])
        if "warnings" in report:
            for warning in report["warnings"]:
                log.warning("%s", warning)
            return
    raise StoreError(f"the daemon ended at once: see {endpoint.log}")


def _lock_holder(endpoint: Endpoint) -> int | None:
    """Return the id of the process that holds the lock; only that process can have written it."""
    try:
        with endpoint.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                number = file.read().strip()
                return int(number) if number.isdecimal() else None
    except OSError:
        pass
    return None


def _spawn(options: DaemonOptions, endpoint: Endpoint, *, reports: int) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    log_fd = os.open(endpoint.log, flags, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "clipsearch.daemon"],
            # The folder of our packages, also for a checkout that is not installed.
            cwd=Path(__file__).parents[2],
            env=child_environment(),  # the options hold the token
            stdin=subprocess.PIPE,
            stdout=reports,
            stderr=log_fd,
            start_new_session=True,  # Ctrl-C and closing the terminal do not reach it
        )
    finally:
        os.close(log_fd)
    # Not as an argument, which every user can see: the options may hold a password.
    assert process.stdin is not None
    # The daemon has another working directory: a relative path would name another file there.
    located = replace(options, uri=parse_uri(options.uri).text)
    process.stdin.write(json.dumps(asdict(located)).encode())
    process.stdin.close()
    return process
