"""The first calls of a process, from several threads at once, do not wait for each other."""

import subprocess
import sys

import pytest

SCRIPT = """
import threading
from PIL import Image, ImageDraw
from clipsearch.ocr.reader import load_reader

reader = load_reader()
image = Image.new("RGB", (300, 100), "white")
ImageDraw.Draw(image).text((20, 20), "Hello", fill="black", font_size=40)
barrier = threading.Barrier(4)
texts = []

def read():
    barrier.wait()
    texts.append(reader.read(image).text)

threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*texts)
"""


def test_the_first_images_are_read_by_several_threads() -> None:
    pytest.importorskip("rapidocr", reason="pip install 'clipsearch[ocr]'")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "Hello Hello Hello Hello\n"), done.stderr
