"""Values over a Unix socket by pickle, for the calls of a session.

Unpickling runs code of the sender. It is used only between processes of one user with the same
code; the greeting checks both.
"""

import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

from clipsearch.daemon.protocol import receive_bytes

_HEADER = struct.Struct("!IQ")  # out-of-band buffers, bytes of the pickle
_SIZE = struct.Struct("!Q")


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
    count, length = _HEADER.unpack(receive_bytes(connection, _HEADER.size, on_timeout))
    sizes = receive_bytes(connection, _SIZE.size * count, on_timeout)
    body = receive_bytes(connection, length, on_timeout)
    buffers = [receive_bytes(connection, size, on_timeout) for (size,) in _SIZE.iter_unpack(sizes)]
    return pickle.loads(body, buffers=buffers)
