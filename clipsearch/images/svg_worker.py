"""Draw an SVG as PNG: `python svg_worker.py FOLDER_OF_RESVG SIDE < drawing > output`.

A process of its own: a drawing can need any amount of time, memory and stack, and a crash of the
renderer must not end an ingestion. Prints the drawing's own width and height, then the PNG. Errors
go to standard error. Imports nothing of clipsearch, so that it starts fast.
"""

import contextlib
import math
import re
import sys
import threading
import zlib
from importlib import import_module
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SVG = "http://www.w3.org/2000/svg"
MOST_BYTES = 64 << 20  # of a decompressed drawing
MOST_DEPTH = 1000  # of nested elements
MOST_MEMORY = 2 << 30
MOST_SECONDS = 15
STACK = 128 << 20
LONGEST_SIDE = 4096  # pixels of the output

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_UNITS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}


class DrawingError(Exception):
    """The drawing cannot be drawn; the message is the reason."""


def draw(data: bytes, side: int) -> tuple[float, float, bytes]:
    """Return a drawing's width and height in CSS pixels, and its PNG.

    The shorter side of the PNG has `side` pixels, as far as the longer one keeps LONGEST_SIDE. A
    drawing without a size has that of the PNG.
    """
    resvg = import_module("resvg_py")
    root = parse(data)
    size = natural_size(root)
    options: dict[str, int] = {"width": side}
    if size is not None:
        width, height = size
        root.set("width", f"{width}")  # the renderer counts percentages otherwise
        root.set("height", f"{height}")
        scale = min(side / min(width, height), LONGEST_SIDE / max(width, height))
        known = "width" if width >= height else "height"
        options = {known: max(1, round(max(width, height) * scale))}
    has_text = any(element.tag == f"{{{SVG}}}text" for element in root.iter())
    png: bytes = resvg.svg_to_bytes(
        svg_string=ElementTree.tostring(root, encoding="unicode"),
        dpi=96,  # the default of 0 would make every length in cm or pt 0
        skip_system_fonts=not has_text,  # there may be thousands
        **options,
    )
    if size is None:
        size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    return *size, png


def parse(data: bytes) -> Element:
    """Parse a drawing, compressed or not, and remove what refers to other files."""
    if data.startswith(b"\x1f\x8b"):
        data = zlib.decompressobj(31).decompress(data, MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DrawingError("it is too large")
    builder = _Builder()
    parser = ElementTree.XMLParser(target=builder)
    parser.feed(data)
    root = parser.close()
    if root.tag == "svg":  # without a namespace, as in HTML
        root.set("xmlns", SVG)
    elif root.tag != f"{{{SVG}}}svg":
        raise DrawingError("it is XML, but not SVG")
    return root


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree without links to files; raises DrawingError on too deep nesting."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise DrawingError("its elements are nested too deeply")
        inner = {
            name: value
            for name, value in attrs.items()
            # The renderer would read any file that the user can read.
            if name.rpartition("}")[2] != "href" or value.strip().startswith(("#", "data:"))
        }
        return super().start(tag, inner)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def natural_size(root: Element) -> tuple[float, float] | None:
    """Return width and height in CSS pixels by the attributes of the root, or None if unknown."""
    width, height = _length(root.get("width")), _length(root.get("height"))
    box = [float(number) for number in re.findall(_NUMBER, root.get("viewBox") or "")[2:4]]
    if len(box) == 2 and min(box) > 0 and max(box) < math.inf:
        if width and height:
            return width, height
        if width:
            return width, width * box[1] / box[0]
        return (height * box[0] / box[1], height) if height else (box[0], box[1])
    return (width, height) if width and height else None


def _length(text: str | None) -> float | None:
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([a-zA-Z]*)\s*", text or "")
    if match is None or match[2].lower() not in _UNITS:
        return None
    length = float(match[1]) * _UNITS[match[2].lower()]
    return length if 0 < length < math.inf else None


def limit_resources() -> None:
    """Limit memory and processor time where the operating system can."""
    try:
        import resource  # not on Windows
    except ImportError:  # the parent's timeout remains
        return
    for kind, limit in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_CPU, MOST_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))


def main(arguments: list[str], source: IO[bytes], output: IO[bytes]) -> str | None:
    """Draw `source` to `output`; return None, or the reason why it failed."""
    folder, side = arguments
    sys.path.insert(0, folder)
    limit_resources()
    failures: list[str] = []

    def run() -> None:
        try:
            width, height, png = draw(source.read(), int(side))
            output.write(f"{width} {height}\n".encode() + png)
        except Exception as error:  # noqa: BLE001 - the XML parser's and the renderer's
            failures.append(" ".join(str(error).split()) or type(error).__name__)

    threading.stack_size(STACK)  # the renderer recurses; the main thread of Windows has 1 MB
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return failures[0] if failures else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
