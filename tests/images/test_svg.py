"""SVG is drawn without access to files, within limits, and a crash of the renderer is a reason."""

import base64
import gzip
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageError, MissingDecoderError
from clipsearch.images import svg
from clipsearch.images.decode import decode
from clipsearch.images.formats import HEADER_SIZE, sniff
from clipsearch.images.svg_worker import DrawingError, natural_size, parse
from tests.helpers.image_files import encoded

pytest.importorskip("resvg_py")

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
RED = '<rect width="50" height="50" fill="red"/>'


def drawing(content: str, attributes: str = 'width="100" height="50"') -> bytes:
    return f"<svg {NAMESPACES} {attributes}>{content}</svg>".encode()


def colors(image: Image.Image) -> tuple[object, object]:
    """The pixels in the middle of the left and the right half."""
    width, height = image.size
    return image.getpixel((width // 4, height // 2)), image.getpixel((width * 3 // 4, height // 2))


PLAIN = drawing(RED)
WRITTEN = {
    "plain": PLAIN,
    "declaration": b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n' + PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "comments": b"<?xml version='1.0'?> <!-- a <svg> - b -->\n<!-- "
    + b"x" * 3000
    + b" -->"
    + PLAIN,
    "document type": b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'svg11.dtd'>\n" + PLAIN,
    "compressed": gzip.compress(PLAIN),
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16")
    + PLAIN.decode().encode("utf-16-le" if sys.byteorder == "little" else "utf-16-be"),
    "prefix": b'<s:svg xmlns:s="http://www.w3.org/2000/svg" width="100" height="50">'
    b'<s:rect width="50" height="50" fill="red"/></s:svg>',
    "no namespace": f'<svg width="100" height="50">{RED}</svg>'.encode(),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_way_to_write_a_drawing_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "no_suffix"
    path.write_bytes(WRITTEN[name])
    decoded = decode(path)
    assert (decoded.format, decoded.width, decoded.height) == ("svg", 100, 50)
    assert decoded.image.mode == "RGB"
    assert min(decoded.image.size) == svg.DRAWN_SIDE
    assert colors(decoded.image) == ((255, 0, 0), (255, 255, 255))
    assert sniff(WRITTEN[name][:HEADER_SIZE]) == "svg"


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('viewBox="0 0 24 12"', (24, 12)),
        ('viewBox="-5,-5 24,12" width="48"', (48, 24)),
        ('viewBox="0 0 24 12" height="24" width="100%"', (48, 24)),
        ('width="2in" height="25.4mm"', (192, 96)),
        ('width="10pt" height="1pc"', (13, 16)),
        ('width="1e400" height="9" viewBox="0 0 30 10"', (27, 9)),
    ],
)
def test_the_size_is_that_of_the_drawing(attributes: str, size: tuple[int, int]) -> None:
    decoded = decode(drawing(RED, attributes))
    assert (decoded.width, decoded.height) == size
    assert decoded.image.width / decoded.image.height == pytest.approx(size[0] / size[1], rel=0.1)


def test_without_a_size_or_with_a_huge_one_the_drawn_size_counts() -> None:
    for attributes in ("", 'width="1e9" height="5e8"'):
        decoded = decode(drawing('<rect width="100%" height="100%" fill="red"/>' + RED, attributes))
        assert (decoded.width, decoded.height) == decoded.image.size
        assert max(decoded.image.size) <= 4096


def test_it_is_drawn_as_large_as_the_model_needs() -> None:
    assert decode(PLAIN, min_side=1000).image.size == (2000, 1000)
    with pytest.raises(ImageError, match="too many pixels"):
        decode(PLAIN, max_pixels=1000)


def test_a_white_drawing_is_seen() -> None:
    decoded = decode(drawing('<circle cx="25" cy="25" r="20" fill="white"/>'))
    left, right = colors(decoded.image)
    assert left == (255, 255, 255)
    assert right != left


def test_embedded_images_are_drawn() -> None:
    png = base64.b64encode(encoded(Image.new("RGB", (9, 9), (0, 0, 255)), "PNG")).decode()
    decoded = decode(drawing(f'<image width="50" height="50" href="data:image/png;base64,{png}"/>'))
    assert colors(decoded.image) == ((0, 0, 255), (255, 255, 255))


def test_no_other_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (9, 9), (0, 0, 255)).save(secret)
    monkeypatch.chdir(tmp_path)
    size = 'width="50" height="50"'
    inner = base64.b64encode(drawing(f'<image {size} href="{secret}"/>')).decode()
    green = '<rect x="50" width="50" height="50" fill="lime"/>'
    for content in (
        f'<image {size} href="{secret}"/>',
        f'<image {size} xlink:href=" {secret}"/>',
        f'<image {size} href="secret.png"/>',
        f'<image {size} href="{secret.as_uri()}"/>',
        f'<image {size} href="data:image/svg+xml;base64,{inner}"/>',
        f'<filter id="f"><feImage href="{secret}"/></filter><rect {size} filter="url(#f)"/>',
    ):
        image = decode(drawing(green + content)).image
        assert image.getpixel((image.width * 3 // 4, image.height // 2)) == (0, 255, 0)
        assert image.getpixel((image.width // 4, image.height // 2)) != (0, 0, 255)
    # Attributes and text may also come from the document type.
    declared = f'<!DOCTYPE svg [<!ATTLIST image href CDATA "{secret}"><!ENTITY p "{secret}">]>'
    for content in (f"<image {size}/>", f'<image {size} href="&p;"/>'):
        image = decode(declared.encode() + drawing(green + content)).image
        assert image.getpixel((image.width // 4, image.height // 2)) != (0, 0, 255)
    external = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(ImageError, match="cannot be drawn"):
        decode(external.encode() + drawing("<text>&x;</text>"))


BILLION = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
COPIES = "".join(f'<g id="g{i}">{f"""<use href="#g{i - 1}"/>""" * 10}</g>' for i in range(1, 9))
REFUSED = {
    "nothing": (drawing(""), "draws nothing"),
    "only definitions": (drawing(f"<defs>{RED}</defs>"), "draws nothing"),
    "no size": (drawing(RED, 'width="0" height="9"'), "cannot be drawn"),
    "cut": (PLAIN[:-9], "cannot be drawn"),
    "nested": (drawing("<g>" * 50_000 + "</g>" * 50_000), "nested too deeply"),
    "entities": (
        f'<!DOCTYPE svg [<!ENTITY a0 "lol">{BILLION}]>'.encode() + drawing("<text>&a9;</text>"),
        "cannot be drawn",
    ),
    "copies": (
        drawing(f'<defs><g id="g0">{RED}</g>{COPIES}</defs><use href="#g8"/>'),
        "cannot be drawn",
    ),
    "bomb": (gzip.compress(b"<svg>" + bytes(100 << 20)), "too large"),
    "a stripe of unknown size": (
        drawing('<rect width="1" height="90000000"/>', ""),
        "too much time or memory",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_has_a_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(ImageError, match=reason):
        decode(data)


def test_a_crash_or_a_long_time_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    monkeypatch.setattr(svg, "_WORKER", worker)
    worker.write_text("import os; os.abort()")
    with pytest.raises(ImageError, match="too much time or memory"):
        decode(PLAIN)
    worker.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(svg, "TIMEOUT", 0.3)
    with pytest.raises(ImageError, match="too long"):
        decode(PLAIN)


def test_without_resvg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingDecoderError, match=r"clipsearch\[svg\]"):
        decode(PLAIN)


def test_other_xml_is_not_svg() -> None:
    for text in (b"<?xml version='1.0'?><a/>", b"<html><svg></svg></html>", b"<svgfoo/>", b"<"):
        assert sniff(text) is None
    with pytest.raises(DrawingError, match="not SVG"):
        parse(b"<!DOCTYPE svg><a/>")


@given(
    st.dictionaries(
        st.sampled_from(["width", "height", "viewBox"]), st.text("0123456789.e-+ %pxcm,")
    )
)
def test_sizes_are_positive_and_finite_or_unknown(attributes: dict[str, str]) -> None:
    root = parse(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    root.attrib.update(attributes)
    size = natural_size(root)
    assert size is None or 0 < min(size) <= max(size) < float("inf")
