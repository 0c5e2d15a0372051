"""The client of pymilvus for one server, or for Milvus Lite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsearch import config
from clipsearch.errors import UsageError, describe_error
from clipsearch.startup import import_pymilvus
from clipsearch.store import server_errors
from clipsearch.store.milvus_errors import foreign_errors
from clipsearch.uri import StoreURI

CONNECT_SECONDS = 5.0
_FILES = ("ca_certificate", "client_certificate", "client_key")


def connect(uri: StoreURI, lite: str | None, token: str | None) -> Any:
    """Return a connected client of a server, or of the Milvus Lite at the address `lite`.

    Raises StoreError if it does not answer or refuses access, and UsageError if the address is
    malformed or a certificate cannot be read.
    """
    options: dict[str, Any] = {"token": token} if token else {}
    if lite is not None:
        # Lite disconnects clients that send a keepalive every ten seconds.
        options["grpc_options"] = {"grpc.keepalive_time_ms": 2**31 - 1}
    else:
        options |= {"db_name": uri.database, **tls_options(uri)}
    try:
        return import_pymilvus().MilvusClient(
            lite or uri.address, timeout=CONNECT_SECONDS, dedicated=True, **options
        )
    except ValueError as error:
        raise UsageError(
            f"{uri.display} is not the URI of a server: {describe_error(error)}"
        ) from error
    except foreign_errors() as error:
        raise server_errors.connecting(error, uri.display) from error


def tls_options(uri: StoreURI) -> dict[str, Any]:
    """Return the options of pymilvus for the settings `config.TLS_SETTINGS`; {} without TLS.

    Raises UsageError if a certificate cannot be read.
    """
    found = {name: config.find_setting(name) for name in config.TLS_SETTINGS}
    settings = {name: setting.value for name, setting in found.items() if setting}
    is_secure = uri.text.startswith("https://")
    if not is_secure or not settings:
        return {"secure": True} if is_secure else {}
    paths = {name: _readable(name, settings[name]) for name in _FILES if name in settings}
    options: dict[str, Any] = {"secure": True, "server_name": settings.get("server_name", "")}
    ca, certificate, key = map(paths.get, _FILES)
    if certificate or key:
        if not (ca and certificate and key):
            raise UsageError(
                "a client certificate needs all of the settings ca_certificate, client_certificate "
                "and client_key"
            )
        return options | {
            "ca_pem_path": ca,
            "client_pem_path": certificate,
            "client_key_path": key,
        }
    return options | ({"server_pem_path": ca} if ca else {})


def _readable(name: str, path: str) -> str:
    """Return the path of a file that can be read; raise UsageError on another."""
    expanded = Path(path).expanduser()
    try:
        expanded.open("rb").close()
    except OSError as error:
        raise UsageError(f"{name}: {expanded}: {error.strerror}") from error
    return str(expanded)
