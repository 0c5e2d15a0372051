"""Start Ray on this machine, or join a cluster, for the time of one ingestion."""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from clipsearch import cpu
from clipsearch.errors import ClipsearchError, describe_error
from clipsearch.temporary_folder import TemporaryFolder
from ingest.ray.options import require_ray

SHORT_FOLDER = Path("/tmp")
PREFIX = "clipsearch-ray-"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TOKEN_SETTINGS = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}


class RayError(ClipsearchError):
    """Ray does not start, or the cluster does not answer."""


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Yield the module `ray`, connected; raise RayError if that fails.

    Without an address, Ray starts here and ends afterwards with all of its processes and files. A
    cluster, and a Ray that the caller has started, go on.
    """
    require_ray()
    # Ray reads these as it is imported or as it starts. A cluster that others started has its own.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "120")  # a busy machine is slow
    import ray.data  # imports `ray`

    for name in ("ray.data", "ray._private", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)

    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    folder = None
    try:
        try:
            with _without_stderr():
                if address is not None:
                    ray.init(address=address, **quiet)
                else:
                    parent = SHORT_FOLDER if SHORT_FOLDER.is_dir() else None
                    folder = TemporaryFolder(parent, PREFIX)
                    _start(ray, folder.path, quiet)
        except Exception as error:
            where = (
                f"the Ray cluster {address} cannot be joined" if address else "Ray did not start"
            )
            raise RayError(f"{where}: {describe_error(error)}") from error
        _restore(handlers)
        yield ray
    finally:
        ray.shutdown()  # of a cluster, ends our job only
        if folder is not None:
            folder.remove()


def _start(ray: Any, folder: Path, options: Mapping[str, Any]) -> None:
    """Start Ray with its files in a private folder, and let it ask for a token of ours.

    Without one, any user of this machine could run code as this one. Ray would leave its own in
    the home folder, readable by all. What the user has set holds.
    """
    is_ours = not os.environ.keys() & _TOKEN_SETTINGS
    if is_ours:
        file = folder / "auth_token"
        file.touch(mode=0o600)
        file.write_text(_token())
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(file)
    try:
        ray.init(
            address="local",
            num_cpus=max(2, cpu.available()),
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder / "r"),  # which Ray lets all users write to
            **options,
        )
    finally:
        if is_ours:
            del os.environ["RAY_AUTH_TOKEN_PATH"]


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what the C++ part of Ray prints as it starts: which log level it uses."""
    try:
        saved = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@cache
def _token() -> str:
    """Return a secret of this process: Ray reads one only once."""
    return secrets.token_hex(32)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    """Let a request to end do what it did before: Ray would exit at once."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
