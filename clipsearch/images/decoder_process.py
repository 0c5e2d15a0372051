"""A process that decodes the images which another one sends: see `decoder_pool`.

It ends if one image takes too long, or if the other process ends. On Linux its memory is limited to
what the other process has granted.
"""

import faulthandler
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from clipsearch.errors import ImageError, MemoryLimitError
from clipsearch.images.decode import decode_here
from clipsearch.images.decoded_image import DecodedImage
from clipsearch.images.decoder_channel import Channel
from clipsearch.images.process_memory import return_freed_memory
from clipsearch.images.reader import Limits

TIMEOUT = 60.0
"""Seconds for an image of up to 1 GB of memory; each further GB may take as long again."""

TIMEOUT_EXIT, ERROR_EXIT = 1, 3
"""The exit codes after that time, and after an error that is not of an image."""

_SLACK = 1 << 29
"""Bytes of address space for threads, libraries and metadata."""
_FILE_COPIES, _MARGIN = 4, 2
"""Multiples of the file's size and of the memory that was granted, in address space."""


class _GrantedMemory:
    """The memory that the other process grants for one image."""

    def __init__(self, channel: Channel, file_size: int) -> None:
        self._channel = channel
        self._base = _address_space() + _SLACK + _FILE_COPIES * file_size
        _limit(memory=self._base, seconds=TIMEOUT)

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Ask for bytes, instead of those before; raises MemoryLimitError if they are refused."""
        faulthandler.cancel_dump_traceback_later()  # waiting may take any time
        self._channel.send(kind="reserve", size=size)
        if refusal := self._channel.receive()["refusal"]:
            raise MemoryLimitError(refusal)
        seconds = TIMEOUT * (1 + size // 10**9)
        _limit(memory=self._base + _MARGIN * size, seconds=seconds)
        yield


def _limit(*, memory: int | None, seconds: float) -> None:
    """Limit the address space in bytes, where that is possible, and the time from now on."""
    with suppress(ImportError, OSError, ValueError):  # Windows, or there is a lower limit
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard if memory is None else memory, hard))
    if seconds:
        # This needs no lock of the interpreter, which the decoder may hold.
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)
    else:
        faulthandler.cancel_dump_traceback_later()


def _address_space() -> int:
    """The bytes of address space of this process; a large number if they are unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return sys.maxsize // 4
    return pages * os.sysconf("SC_PAGE_SIZE")


def serve(reader: IO[bytes], writer: IO[bytes]) -> None:
    """Decode one image after the other; raises EOFError at the end of the connection."""
    channel = Channel(reader, writer)
    channel.send(kind="started")
    while True:
        request = channel.receive()
        data = bytes(channel.receive_bytes(request["size"]))
        with ExitStack() as held:
            memory = _GrantedMemory(channel, len(data))
            limits = Limits(request["max_pixels"], request["min_side"], held, memory)
            try:
                decoded = decode_here(data, limits)
            except ImageError as error:
                _limit(memory=None, seconds=0)
                channel.send(kind="error", error=type(error).__name__, reason=str(error))
            else:
                _limit(memory=None, seconds=0)
                channel.send_image(_reduced(decoded, limits.min_side))
                del decoded


def _reduced(decoded: DecodedImage, min_side: int | None) -> DecodedImage:
    """An image that is sent faster, and whose shorter side still has twice `min_side` pixels.

    Averages at just over `min_side` pixels blur the image for the model: the cosine to the vector
    of the full image was as low as 0.98.
    """
    factor = min(decoded.image.size) // (2 * min_side if min_side else sys.maxsize)
    return decoded if factor < 2 else replace(decoded, image=decoded.image.reduce(factor))


def main() -> None:
    """Serve the process that started this one, by its pipes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this process, too
    warnings.simplefilter("ignore")
    return_freed_memory()
    reader, writer = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print
    try:
        serve(reader, writer)
    except (EOFError, OSError):
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a panic of a decoder, or no memory for the pixels
        os._exit(ERROR_EXIT)


if __name__ == "__main__":
    main()
