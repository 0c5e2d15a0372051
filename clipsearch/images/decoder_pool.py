"""Decoders with a history of crashes, in processes of their own.

A native library that crashes, hangs or takes all memory then costs one image and not the run. A
process starts with the first image that needs it and decodes one image at a time, see
`decoder_process`.
"""

import atexit
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from clipsearch import cpu, errors
from clipsearch.config import child_environment
from clipsearch.errors import DecoderProcessError, ImageError, MemoryLimitError, of_process
from clipsearch.images.decoded_image import DecodedImage
from clipsearch.images.decoder_channel import Channel
from clipsearch.images.decoder_process import TIMEOUT, TIMEOUT_EXIT
from clipsearch.images.reader import Limits

COMMAND = [sys.executable, "-m", "clipsearch.images.decoder_process"]

_ENDED_BY_OTHERS = {"SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"}
_END_SECONDS = 5.0


def decode_isolated(data: bytes, limits: Limits) -> DecodedImage:
    """Decode an image file in another process; raises ImageError, also if that crashes or hangs.

    Raises DecoderProcessError if the process cannot start, or if somebody ends it.
    """
    with _pool.decoder() as decoder:
        return decoder.decode(data, limits)


def stop_decoders() -> None:
    """End all processes; what they decode fails with DecoderProcessError."""
    _pool.stop()


class _Decoder:
    """A process that decodes images, one at a time."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                COMMAND,
                cwd=Path(__file__).parents[2],  # also for a checkout that is not installed
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            if of_process(error):
                raise
            reason = error.strerror or str(error)
            raise DecoderProcessError(f"cannot start the process of a decoder: {reason}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._streams = self._process.stdin, self._process.stdout
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._has_started = False
        self.is_idle = False
        """Whether it waits for an image; otherwise it has ended, or must."""

    def decode(self, data: bytes, limits: Limits) -> DecodedImage:
        self.is_idle = False
        try:
            if not self._has_started:
                self._has_started = self._channel.receive()["kind"] == "started"
            self._channel.send(
                data, size=len(data), max_pixels=limits.max_pixels, min_side=limits.min_side
            )
            answer = self._grant_memory(limits)
            decoded = self._channel.receive_image(answer) if answer["kind"] == "image" else None
        except (EOFError, OSError) as error:
            raise self._explain_end() from error
        self.is_idle = True
        if decoded is None:
            raise getattr(errors, answer["error"])(answer["reason"])
        return decoded

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.wait()
        for stream in self._streams:
            with suppress(OSError):
                stream.close()

    def _grant_memory(self, limits: Limits) -> dict[str, Any]:
        """Reserve what the process asks for, each time anew; return the message that follows."""
        reserved = ExitStack()
        limits.held.callback(reserved.close)
        while (message := self._channel.receive())["kind"] == "reserve":
            reserved.close()
            try:
                reserved.enter_context(limits.memory.reserve(message["size"]))
            except MemoryLimitError as error:
                self._channel.send(refusal=str(error))
            else:
                self._channel.send(refusal=None)
        return message

    def _explain_end(self) -> ImageError:
        """Say why the process has ended."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        name = next((number.name for number in signal.Signals if number == -code), None)
        if name in _ENDED_BY_OTHERS:
            return DecoderProcessError(f"the process of the decoder was ended ({name})")
        if not self._has_started:
            return DecoderProcessError(f"cannot start the process of a decoder (exit code {code})")
        if code == TIMEOUT_EXIT:
            return ImageError(f"decoding it takes longer than {TIMEOUT:.0f} s")
        how = f"signal {-code}, {name}" if name else f"exit code {code & 0xFFFFFFFF:#x}"
        return ImageError(f"the decoder crashed ({how})")


class _Pool:
    """As many processes as there are cores, at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.Semaphore(cpu.available())
        self._idle: list[_Decoder] = []
        self._busy: set[_Decoder] = set()

    @contextmanager
    def decoder(self) -> Iterator[_Decoder]:
        """Wait for a process, and use it alone."""
        with self._free:
            with self._lock:
                decoder = self._idle.pop() if self._idle else _Decoder()
                self._busy.add(decoder)
            try:
                yield decoder
            finally:
                with self._lock:
                    self._busy.discard(decoder)
                    if decoder.is_idle:
                        self._idle.append(decoder)
                if not decoder.is_idle:
                    decoder.close()

    def stop(self) -> None:
        """End all processes, also those that decode."""
        with self._lock:
            idle, self._idle = self._idle, []
            for decoder in self._busy:
                decoder.kill()  # the thread that uses it closes it
        for decoder in idle:
            decoder.close()


_pool = _Pool()
atexit.register(_pool.stop)
