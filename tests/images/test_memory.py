"""All threads that decode stay within one budget of memory."""

import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageError, MemoryLimitError
from clipsearch.images import memory, process_memory
from clipsearch.images.decode import decode
from clipsearch.images.memory import FILES, PIXELS, Budget
from tests.helpers.image_files import encoded
from tests.helpers.psd_files import psd
from tests.helpers.raw_files import dng


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> int:
    limit = 4_000_000
    monkeypatch.setattr(PIXELS, "limit", limit)
    return limit


def test_threads_never_hold_more_than_the_budget() -> None:
    budget, lock = Budget(100), threading.Lock()
    held = most = 0

    def work(size: int) -> None:
        nonlocal held, most
        with budget.reserve(size):
            with lock:
                held += size
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 60, 100, 10, 10, 45, 1, 99] * 6))
    assert 60 < most <= 100
    assert held == 0


def test_a_large_request_is_not_overtaken_for_ever() -> None:
    budget, order = Budget(10), []
    first = ExitStack()
    first.enter_context(budget.reserve(5))

    def work(size: int) -> None:
        with budget.reserve(size):
            order.append(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (10, 5)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    assert order == []
    first.close()
    for thread in threads:
        thread.join(10)
    assert order == [10, 5]


def test_what_can_never_fit_is_refused_before_it_is_decoded(small_budget: int) -> None:
    image = Image.new("RGBA", (1000, 1000), (1, 2, 3, 4))
    with pytest.raises(
        MemoryLimitError, match=r"needs about 10 MB of memory, and --max-memory leaves 4 MB"
    ):
        decode(encoded(image, "PNG"))
    decode(encoded(image.resize((500, 500)), "PNG"))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "BMP", "JPEG2000"])
def test_every_format_is_counted(kind: str, small_budget: int) -> None:
    image = Image.new("P" if kind in ("GIF", "PNG") else "RGB", (1100, 1000))
    with pytest.raises(MemoryLimitError):
        decode(encoded(image, kind))


def test_memory_is_free_again_after_every_outcome(small_budget: int) -> None:
    data = encoded(Image.effect_noise((400, 400), 90).convert("RGB"), "PNG")
    for content in (data, data[: len(data) * 9 // 10], data[: len(data) // 3], b"BM"):
        try:
            decode(content)
        except ImageError:
            continue
    with PIXELS.reserve(small_budget):
        pass


def test_what_is_decoded_counts_until_it_is_released(small_budget: int) -> None:
    data = encoded(Image.new("RGB", (600, 600)), "PNG")  # 2.9 MB
    with ExitStack() as held, ThreadPoolExecutor(1) as pool:
        decode(data, held=held)
        waiting = pool.submit(decode, data)
        time.sleep(0.1)
        assert not waiting.done()
        held.close()
        assert waiting.result(10).width == 600


def test_the_default_follows_the_environment_and_the_control_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(memory.VARIABLE, "300M")
    assert memory.default_limit() == 300_000_000
    monkeypatch.delenv(memory.VARIABLE)
    assert memory.default_limit() == max(1 << 28, process_memory.total_memory() * 3 // 4)
    (tmp_path / "memory.max").write_text(str(1 << 30))
    monkeypatch.setattr(process_memory, "_CGROUP", tmp_path)
    assert memory.default_limit() == 3 << 28
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.default_limit() > 3 << 28


def test_the_limit_of_a_group_above_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("1:cpu:/x\n0::/user.slice/a.scope\n")
    monkeypatch.setattr(process_memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(process_memory, "_CGROUP", tmp_path)
    (tmp_path / "user.slice" / "a.scope").mkdir(parents=True)
    (tmp_path / "user.slice" / "a.scope" / "memory.max").write_text("max\n")
    (tmp_path / "user.slice" / "memory.max").write_text("700000000\n")
    assert process_memory.total_memory() == 700_000_000


def test_decoding_gets_what_the_process_leaves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(memory, "used_memory", lambda: 400_000_000)
    memory.set_max_memory(1_000_000_000)
    memory.fit_to_process()
    assert PIXELS.limit + FILES.limit == 600_000_000 - memory.GROWTH
    assert caplog.text == ""
    memory.set_max_memory(500_000_000)
    memory.fit_to_process()
    assert PIXELS.limit + FILES.limit == memory.LEAST
    assert "--max-memory is 500 MB, and the model and the store take 520 MB of it" in caplog.text


def test_the_memory_of_children_counts() -> None:
    before = process_memory.used_memory()
    with subprocess.Popen(
        [sys.executable, "-c", "x = b'x' * 90_000_000; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process_memory.used_memory() > before + 80_000_000
        child.kill()


def test_freed_memory_is_returned() -> None:
    code = """
from PIL import Image
from clipsearch.images.process_memory import return_freed_memory, used_memory
from concurrent.futures import ThreadPoolExecutor
return_freed_memory()
before = used_memory()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: Image.new("RGB", (4000, 4000), "red").close(), range(12)))
    assert used_memory() < before + 40_000_000, (before, used_memory())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["raw", "jpegxl", "svg", "psd", "ico", "tga"])
def test_formats_that_pillow_does_not_open_keep_to_the_budget(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (640, 480)
    image = Image.new("RGB", size, "red")
    if name == "raw":
        pytest.importorskip("rawpy")
        data = dng(image)
    elif name == "jpegxl":
        data = pytest.importorskip("pylibjxl").encode(np.asarray(image))
    elif name == "svg":
        pytest.importorskip("resvg_py")
        data = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
    elif name == "psd":
        data = psd([np.asarray(band) for band in image.split()], 3)
    elif name == "ico":
        png = encoded(image, "PNG")
        data = struct.pack("<3H4BHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png
    else:
        data = encoded(image, "TGA")
    with ExitStack() as held:
        assert decode(data, held=held).format == name
        used = PIXELS._used
        assert used >= 8 * size[0] * size[1]
    assert PIXELS._used == 0
    monkeypatch.setattr(PIXELS, "limit", used - 1)
    with pytest.raises(MemoryLimitError):
        decode(data)
