"""Icons give their largest image; TGA files are read, and nothing else is taken for one."""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageError
from clipsearch.files.discover import FileSource
from clipsearch.images.decode import decode
from clipsearch.images.formats import HEADER_SIZE, sniff
from tests.helpers.image_files import SIZE, distance, encoded, scene

SMALL, LARGE = Image.new("RGBA", (16, 16), "white"), scene().resize((64, 64)).convert("RGBA")


def icon(*frames: bytes, kind: int = 1, sizes: tuple[int, int] = (0, 0)) -> bytes:
    """An icon or cursor (kind 2) whose directory says nothing true of its images."""
    out, offset = struct.pack("<3H", 0, kind, len(frames)), 6 + 16 * len(frames)
    for frame in frames:
        out += struct.pack("<4BHHII", *sizes, 0, 0, 5, 7, len(frame), offset)
        offset += len(frame)
    return out + b"".join(frames)


def bitmap(image: Image.Image) -> bytes:
    """The image as it is inside an icon, with a mask."""
    whole = encoded(image, "ICO", sizes=[image.size], bitmap_format="bmp")
    return whole[22:]


@pytest.mark.parametrize("kind", [1, 2])
def test_the_largest_image_is_taken(kind: int) -> None:
    for frames in (
        [encoded(SMALL, "PNG"), encoded(LARGE, "PNG")],
        [bitmap(LARGE), bitmap(SMALL)],
        [bitmap(SMALL), encoded(LARGE, "PNG"), b"broken"],
        [encoded(SMALL, "PNG"), bitmap(LARGE)],
    ):
        decoded = decode(icon(*frames, kind=kind))
        assert (decoded.format, decoded.width, decoded.height) == ("ico", 64, 64)
        assert distance(decoded.image, LARGE.convert("RGB")) == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bitmaps_of_every_depth_are_read(mode: str) -> None:
    image = LARGE.convert(mode)
    decoded = decode(icon(bitmap(image)))
    assert distance(decoded.image, image.convert("RGB")) == 0


def test_the_mask_is_used_and_an_unused_fourth_byte_is_not() -> None:
    clear = LARGE.copy()
    clear.paste((0, 0, 0, 0), (0, 0, 32, 32))
    assert decode(icon(bitmap(clear))).image.getpixel((5, 5)) == (255, 255, 255)
    unused = LARGE.copy()
    unused.putalpha(0)
    assert distance(decode(icon(bitmap(unused))).image, LARGE.convert("RGB")) == 0


def test_a_large_image_in_an_icon_is_within_the_limit() -> None:
    wide = icon(encoded(Image.new("RGB", (3000, 1000)), "PNG"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(wide).width == 3000
        assert decode(icon(bitmap(LARGE))).width == 64
    with pytest.raises(ImageError, match="too many pixels: 3000 x 1000"):
        decode(wide, max_pixels=1_000_000)


def test_damaged_icons_have_a_reason() -> None:
    for data in (icon(b""), icon(b"x" * 50), icon(encoded(LARGE, "PNG")[:99]), icon(b"x")[:20]):
        with pytest.raises(ImageError, match=r"truncated|corrupt"):
            decode(data)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("compression", [None, "tga_rle"])
@pytest.mark.parametrize("orientation", [1, -1])
def test_targa_files_are_read(mode: str, compression: str | None, orientation: int) -> None:
    image = scene().convert(mode)
    data = encoded(
        image, "TGA", compression=compression, orientation=orientation, id_section=b"made by"
    )
    decoded = decode(data)
    assert (decoded.format, decoded.width, decoded.height) == ("tga", *SIZE)
    assert distance(decoded.image, image.convert("RGB")) == 0
    assert sniff(data[:HEADER_SIZE]) == "tga"


def test_an_unused_fourth_byte_is_not_transparency() -> None:
    image = scene().convert("RGBA")
    image.putalpha(0)
    data = bytearray(encoded(image, "TGA"))
    assert distance(decode(bytes(data)).image, scene()) == 0
    data[17] &= 0xF0
    assert distance(decode(bytes(data)).image, scene()) == 0
    image.putalpha(Image.linear_gradient("L").resize(SIZE))
    data = bytearray(encoded(image, "TGA"))
    data[17] &= 0xF0
    assert distance(decode(bytes(data)).image, scene()) == 0


def test_fifteen_bits_are_read() -> None:
    values = np.full((32, 48), 0b0_11111_00000_00000, "<u2")
    header = struct.pack("<3BHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 48, 32, 15, 0)
    assert decode(header + values.tobytes()).image.getpixel((9, 9)) == (255, 0, 0)


def test_short_and_large_targa_files_are_refused() -> None:
    for compression in (None, "tga_rle"):
        data = encoded(scene(), "TGA", compression=compression)
        with pytest.raises(ImageError, match="truncated"):
            decode(data[: len(data) // 4])
    with pytest.raises(ImageError, match="too many pixels: 48 x 32"):
        decode(data, max_pixels=1535)
    bomb = struct.pack("<3BHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 9999, 9999, 24, 0) + bytes(999)
    with pytest.raises(ImageError, match="truncated"):
        decode(bomb)


@given(st.binary(max_size=80))
def test_junk_is_neither_an_icon_nor_targa(junk: bytes) -> None:
    if sniff(junk) in ("tga", "ico"):  # then it has every field that such a header has
        assert len(junk) >= 10
        assert junk[1] <= 1
    assert sniff(bytes(len(junk))) is None
    assert sniff(b"text: " + junk) is None


@pytest.mark.parametrize(
    "head",
    [
        bytes(64),
        b"\0\0\1\xba!\0\1\0\1" + bytes(50),  # MPEG
        b"\0\1\0\0\0\x0c\0\x80" + bytes(50),  # TrueType
        b"\0\0\2\0\6\4\6\0\x08\0" + bytes(50),  # Lotus 1-2-3
        b"\0\0\0\x14ftypqt  " + bytes(50),
        "a\nb".encode("utf-16-le") * 20,
        b"\0\0\2" + bytes(61),  # no size
        b"\0\0\2" + bytes(9) + b"\x10\0\x10\0\x17\0" + bytes(40),  # 23 bits
        b"\0\0\2" + bytes(9) + b"\x10\0\x10\0\x18\xc0" + bytes(40),  # reserved flags
        b"\0\0\2\0\0\1" + bytes(6) + b"\x10\0\x10\0\x18\0" + bytes(40),  # a palette of no type
    ],
)
def test_similar_headers_are_not_taken(head: bytes) -> None:
    assert sniff(head) is None


def test_targa_needs_a_suffix_in_a_folder_and_icons_do_not(tmp_path: Path) -> None:
    targa, small = encoded(scene(), "TGA"), icon(encoded(SMALL, "PNG"))
    for name, data in (("a", targa), ("b.TGA", targa), ("c.jpg", targa), ("d", small)):
        (tmp_path / name).write_bytes(data)
    found = {item.path.name for item in FileSource([tmp_path])}
    assert found == {"b.TGA", "c.jpg", "d"}
    assert {decode(tmp_path / name).format for name in ("a", "b.TGA", "c.jpg")} == {"tga"}
    assert decode(io.BytesIO(small).read()).format == "ico"
