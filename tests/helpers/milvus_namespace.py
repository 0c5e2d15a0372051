"""Run the bundled Milvus server in its own namespaces, with one socket of the host.

    unshare --net --mount python milvus_namespace.py LISTENER PORT COMMAND…

Milvus 2.3.5 listens on every interface, without a password and with no setting against it, and
keeps a lock and its ids in folders of the whole machine. A network namespace holds nothing but
`lo`: there its ports are always free and nobody else reaches them. LISTENER is the number of an
inherited socket that listens outside. A socket stays in the namespace that made it, so this process
accepts out there and connects in here, and nothing has a name that would need cleaning up.
It ends, and the server with it, when its stdin closes: also when the parent is killed.
"""

import asyncio
import contextlib
import fcntl
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

# Where this version keeps a lock and its ids, ignoring its configuration.
MACHINE_WIDE = (Path("/run/milvus"), Path("/tmp/milvus"))

SIOCSIFFLAGS = 0x8914  # linux/sockios.h
IFF_UP = 1  # linux/if.h


def raise_loopback() -> None:
    """Switch on `lo`, which a new network namespace starts with switched off."""
    with socket.socket() as anything:
        fcntl.ioctl(anything, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def hide(folder: Path) -> None:
    """Put an empty folder in its place, for this namespace only."""
    # Only root may make the one in /run; without it Milvus takes the other one for both.
    with contextlib.suppress(PermissionError):
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "milvus", folder], check=True)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy bytes until one end closes, then close the other."""
    try:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


async def serve(listener: socket.socket, port: int, command: list[str]) -> int:
    """Run the command and forward connections to its port, until stdin closes or it ends."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # not up yet: the client tries again
            writer.close()
            return
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(
        sys.stdin.fileno(), closed.set
    )  # nothing is written to it: readable means closed
    loop.add_signal_handler(signal.SIGTERM, closed.set)
    await asyncio.start_server(carry, sock=listener)
    waits = [asyncio.create_task(closed.wait()), asyncio.create_task(server.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if server.returncode is None:
        server.kill()  # its data is discarded, and a graceful stop may take minutes
    return await server.wait()


def main() -> None:
    listener, port, *command = sys.argv[1:]
    raise_loopback()
    for folder in MACHINE_WIDE:
        hide(folder)
    sys.exit(asyncio.run(serve(socket.socket(fileno=int(listener)), int(port), command)))


if __name__ == "__main__":
    main()
