"""A decoder that crashes, hangs or takes all memory costs one image; its process is replaced."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image
from PIL.ImageFile import ImageFile

from clipsearch.errors import DecoderProcessError, ImageError, MemoryLimitError
from clipsearch.images import decode as decode_module
from clipsearch.images import decoder_pool, decoder_process
from clipsearch.images.decode import decode
from clipsearch.images.decoder_pool import stop_decoders
from clipsearch.images.memory import PIXELS
from clipsearch.images.openers import OPENERS
from clipsearch.images.reader import Limits
from tests.helpers.image_files import encoded, pixels, rotated, scene

STUBBED = b"BM" + bytes(8) + b"\x36\0\0\0" + b"\x28\0\0\0" + bytes(50)
"""A file that the stub decoder takes; the bytes after it say what happens."""


def misbehave(stream: BinaryIO) -> ImageFile:
    """A decoder that does what the end of the file says."""
    match stream.read()[len(STUBBED) :].decode():
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "memory":
            bytearray(64 << 30)
        case "variables":
            raise ValueError(" ".join(name for name in os.environ if name.startswith("CLIP")))
        case "print":
            os.write(1, b"a library prints this")
            return OPENERS["png"](open(os.environ["STUB_IMAGE"], "rb"))
    raise ValueError("nothing to decode")


def main() -> None:
    """Serve with the stub instead of the decoder of BMP, and little patience."""
    OPENERS["bmp"] = misbehave
    decoder_process.TIMEOUT = 1.0
    decoder_process.main()


@pytest.fixture(autouse=True)
def _decoders() -> Iterator[None]:
    yield
    stop_decoders()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stop_decoders()
    monkeypatch.setattr(decoder_pool, "COMMAND", [sys.executable, "-m", __name__])
    monkeypatch.setattr(decode_module, "ISOLATED", frozenset({"bmp"}))
    monkeypatch.setenv("STUB_IMAGE", str(tmp_path / "image.png"))
    scene().save(tmp_path / "image.png")


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("crash", ImageError, r"the decoder crashed \(signal 11, SIGSEGV\)"),
        ("hang", ImageError, "longer than 60 s"),
        ("exit", ImageError, r"the decoder crashed \(exit code 0x3\)"),
        ("killed", DecoderProcessError, r"ended \(SIGKILL\)"),
        ("memory", MemoryLimitError, "not enough memory"),
        ("error", ImageError, "nothing to decode"),
    ],
)
def test_one_image_fails_and_the_next_one_is_decoded(
    kind: str, error: type[ImageError], reason: str
) -> None:
    with pytest.raises(ImageError, match=reason) as raised:
        decode(STUBBED + kind.encode())
    assert type(raised.value) is error
    assert np.array_equal(pixels(decode(STUBBED + b"print").image), pixels(scene()))
    assert PIXELS._used == 0


@pytest.mark.usefixtures("stub")
def test_a_decoder_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_URI", "http://127.0.0.1:1")
    for name in ("CLIPSEARCH_TOKEN", "CLIPSEARCH_SERVE_TOKEN", "CLIPSEARCH_TO_TOKEN"):
        monkeypatch.setenv(name, "secret")
    with pytest.raises(ImageError) as raised:
        decode(STUBBED + b"variables")
    assert "CLIPSEARCH_URI" in str(raised.value)
    assert "TOKEN" not in str(raised.value)


@pytest.mark.usefixtures("stub")
def test_many_threads_share_a_few_processes() -> None:
    kinds = ["print", "crash", "print", "error", "exit", "print"] * 5
    with ThreadPoolExecutor(8) as pool:

        def run(kind: str) -> bool:
            try:
                return decode(STUBBED + kind.encode()).image.size == scene().size
            except ImageError:
                return False

        assert list(pool.map(run, kinds)) == [kind == "print" for kind in kinds]
    assert not decoder_pool._pool._busy


@pytest.mark.usefixtures("stub")
def test_stopping_ends_a_decoder_that_hangs() -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decode, STUBBED + b"hang")
        while not decoder_pool._pool._busy:
            time.sleep(0.01)
        time.sleep(0.3)
        started = time.monotonic()
        stop_decoders()
        with pytest.raises(DecoderProcessError, match="ended"):
            waiting.result(10)
    assert time.monotonic() - started < 0.9


def test_a_process_that_cannot_start_is_no_fault_of_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(scene(), "JPEG2000")
    for command in ([sys.executable, "-c", "1/0"], ["/no/such/program"]):
        monkeypatch.setattr(decoder_pool, "COMMAND", command)
        with pytest.raises(DecoderProcessError, match="cannot start the process"):
            decode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "JPEG2000", "HEIF", "AVIF", "TIFF"])
def test_the_result_is_that_of_this_process(kind: str) -> None:
    stored, exif = rotated(6)
    exif[0x0132] = "2019:05:06 07:08:09"
    data = encoded(stored, kind, **({"exif": exif.tobytes()} if kind == "HEIF" else {"exif": exif}))
    with ExitStack() as held:
        here = decode_module.decode_here(data, Limits(10**6, None, held))
        there = decode(data, isolated=True, held=held)
        assert np.array_equal(pixels(there.image), pixels(here.image))
        for name in ("width", "height", "format", "metadata", "truncated"):
            assert getattr(there, name) == getattr(here, name)


def test_limits_and_memory_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (1000, 1000)), "JPEG2000")
    with pytest.raises(ImageError, match="too many pixels"):
        decode(data, max_pixels=999_999)
    with ExitStack() as held:
        decode(data, held=held)
        used = PIXELS._used
        assert used >= 20_000_000
    monkeypatch.setattr(PIXELS, "limit", used - 1)
    with pytest.raises(MemoryLimitError, match="--max-memory leaves"):
        decode(data)


def test_a_decoder_waits_for_memory_that_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (100, 100)), "JPEG2000")
    monkeypatch.setattr(PIXELS, "limit", 1_000_000)
    with ThreadPoolExecutor(1) as pool:
        with PIXELS.reserve(900_000):
            waiting = pool.submit(decode, data)
            time.sleep(0.6)
            assert not waiting.done()
        assert waiting.result(10).width == 100


def test_large_images_come_back_smaller() -> None:
    data = encoded(Image.linear_gradient("L").resize((1200, 900)).convert("RGB"), "JPEG2000")
    decoded = decode(data, min_side=220)
    assert (decoded.width, decoded.height, decoded.image.size) == (1200, 900, (600, 450))
    assert decode(data, min_side=500).image.size == (1200, 900)


if __name__ == "__main__":
    main()
