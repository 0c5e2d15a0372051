"""A network between a client and a server, which a test can cut."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards TCP connections to a server while `mode` is "up".

    "closed" ends all connections and every new one at once, as a server that is down does; "silent"
    forwards nothing, as a cable that is cut.
    """

    def __init__(self, uri: str) -> None:
        """Listen on a free port."""
        parts = urlsplit(uri)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.mode = "up"
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def set_mode(self, mode: str) -> None:
        """Set the mode, to "up" after a cut."""
        self.mode = mode
        if mode == "closed":
            self._end_connections()

    def close(self) -> None:
        """End everything."""
        self.mode = "closed"
        self._listener.close()
        self._end_connections()

    def _end_connections(self) -> None:
        while self._sockets:
            connection = self._sockets.pop()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.mode == "closed":
                    client.close()
                else:
                    threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        while self.mode == "silent":
            time.sleep(0.05)
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._sockets += [client, server]
        threading.Thread(target=self._pump, args=[client, server], daemon=True).start()
        self._pump(server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                while self.mode == "silent":
                    time.sleep(0.05)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def network_to(uri: str) -> Iterator[Proxy]:
    """Yield a network to the server at `uri`."""
    proxy = Proxy(uri)
    try:
        yield proxy
    finally:
        proxy.close()
