"""Messages over a Unix socket: a stable greeting in JSON, then values by pickle.

Unpickling runs code of the sender. It is used only between processes of one user with the same
code; the greeting checks both.
"""

import json
import pickle
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Greeting: TypeAlias = Mapping[str, Any]

GREETING_BYTES = 1 << 16
_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!IQ")  # out-of-band buffers, bytes of the pickle
_SIZE = struct.Struct("!Q")


def send_greeting(connection: socket.socket, greeting: Greeting) -> None:
    """Send a small JSON object."""
    body = json.dumps(greeting).encode()
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive_greeting(connection: socket.socket) -> Greeting:
    """Wait for a small JSON object; raise OSError or ValueError if there is none."""
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size))
    if length > GREETING_BYTES:
        raise ValueError("the greeting is too long")
    greeting = json.loads(bytes(_read(connection, length)))
    if not isinstance(greeting, dict):
        raise ValueError("the greeting is not a JSON object")
    return greeting


def send(connection: socket.socket, value: object) -> None:
    """Send a value; arrays in it are sent without copying them."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    sizes = b"".join(_SIZE.pack(part.nbytes) for part in raw)
    connection.sendall(_HEADER.pack(len(raw), len(body)) + sizes + body)
    for part in raw:
        connection.sendall(part)


def receive(connection: socket.socket, on_timeout: Callable[[], None] | None = None) -> Any:
    """Wait for a value; raise EOFError if the other side has closed the connection.

    `on_timeout` is called after each timeout of the socket; it raises to give up.
    """
    count, length = _HEADER.unpack(_read(connection, _HEADER.size, on_timeout))
    sizes = _read(connection, _SIZE.size * count, on_timeout)
    body = _read(connection, length, on_timeout)
    buffers = [_read(connection, size, on_timeout) for (size,) in _SIZE.iter_unpack(sizes)]
    return pickle.loads(body, buffers=buffers)


def _read(
    connection: socket.socket, size: int, on_timeout: Callable[[], None] | None = None
) -> bytearray:
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
