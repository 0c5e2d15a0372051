"""Messages over a Unix socket: a greeting in JSON that never changes, then values by pickle.

Pickle runs what it is sent: only between processes of one user and of the same code, which the
greeting settles first.
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
_HEAD = struct.Struct("!IQ")  # out-of-band buffers, bytes of the pickle
_SIZE = struct.Struct("!Q")


def send_greeting(to: socket.socket, greeting: Greeting) -> None:
    """Send a small JSON object."""
    body = json.dumps(greeting).encode()
    to.sendall(_LENGTH.pack(len(body)) + body)


def receive_greeting(source: socket.socket) -> Greeting:
    """Wait for a small JSON object; raise OSError or ValueError where there is none."""
    (length,) = _LENGTH.unpack(_read(source, _LENGTH.size))
    if length > GREETING_BYTES:
        raise ValueError("no greeting")
    greeting = json.loads(bytes(_read(source, length)))
    if not isinstance(greeting, dict):
        raise ValueError("no greeting")
    return greeting


def send(to: socket.socket, value: object) -> None:
    """Send a value; arrays in it go as they lie in memory, without a copy."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    sizes = b"".join(_SIZE.pack(part.nbytes) for part in raw)
    to.sendall(_HEAD.pack(len(raw), len(body)) + sizes + body)
    for part in raw:
        to.sendall(part)


def receive(source: socket.socket, on_silence: Callable[[], None] | None = None) -> Any:
    """Wait for a value; raise EOFError where the other side is gone.

    `on_silence` is called after each timeout of the socket, and raises in order to give up.
    """
    count, length = _HEAD.unpack(_read(source, _HEAD.size, on_silence))
    sizes = _read(source, _SIZE.size * count, on_silence)
    body = _read(source, length, on_silence)
    buffers = [_read(source, size, on_silence) for (size,) in _SIZE.iter_unpack(sizes)]
    return pickle.loads(body, buffers=buffers)


def _read(
    source: socket.socket, size: int, on_silence: Callable[[], None] | None = None
) -> bytearray:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        try:
            count = source.recv_into(view[got:])
        except TimeoutError:
            if on_silence is None:
                raise
            on_silence()
            continue
        if not count:
            raise EOFError("the other side has closed the connection")
        got += count
    return data
