"""Messages over a Unix socket: JSON objects, each after its length."""

import json
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Message: TypeAlias = Mapping[str, Any]

GREETING_BYTES = 1 << 16
MESSAGE_BYTES = 1 << 30
_LENGTH = struct.Struct("!I")


def send_message(connection: socket.socket, message: Message) -> None:
    """Send a JSON object."""
    body = json.dumps(message).encode()
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive_message(
    connection: socket.socket,
    on_timeout: Callable[[], None] | None = None,
    *,
    max_bytes: int = MESSAGE_BYTES,
) -> Message:
    """Wait for a JSON object; raise OSError, EOFError or ValueError if there is none.

    `on_timeout` is called after each timeout of the socket; it raises to give up.
    """
    (length,) = _LENGTH.unpack(receive_bytes(connection, _LENGTH.size, on_timeout))
    if length > max_bytes:
        raise ValueError("the message is too long")
    message = json.loads(receive_bytes(connection, length, on_timeout))
    if not isinstance(message, dict):
        raise ValueError("the message is not a JSON object")
    return message


def receive_bytes(
    connection: socket.socket, size: int, on_timeout: Callable[[], None] | None = None
) -> bytearray:
    """Wait for so many bytes; raise EOFError if the other side has closed the connection."""
    data = bytearray(size)
    view, received = memoryview(data), 0
    while received < size:
        try:
            count = connection.recv_into(view[received:])
        except TimeoutError:
            if on_timeout is None:
                raise
            on_timeout()
            continue
        if not count:
            raise EOFError("the other side has closed the connection")
        received += count
    return data
