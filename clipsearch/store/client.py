"""The client of pymilvus for one server, or for Milvus Lite."""

from __future__ import annotations

from typing import Any

from clipsearch.errors import UsageError, describe_error
from clipsearch.startup import import_pymilvus
from clipsearch.store import server_errors
from clipsearch.store.milvus_errors import foreign_errors

CONNECT_SECONDS = 5.0


def connect(address: str, uri: str, *, token: str | None, is_local: bool) -> Any:
    """Return a connected client of the Milvus at `address`; `uri` is its name in messages.

    Raises StoreError if it does not answer, and UsageError if the address is malformed.
    """
    options: dict[str, Any] = {"token": token} if token else {}
    if is_local:
        # Lite disconnects clients that send a keepalive every ten seconds.
        options["grpc_options"] = {"grpc.keepalive_time_ms": 2**31 - 1}
    try:
        return import_pymilvus().MilvusClient(
            address, timeout=CONNECT_SECONDS, dedicated=True, **options
        )
    except ValueError as error:
        raise UsageError(f"{uri} is not the URI of a server: {describe_error(error)}") from error
    except foreign_errors() as error:
        raise server_errors.connecting(error, uri) from error
