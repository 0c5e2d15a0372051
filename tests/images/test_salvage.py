"""Damaged metadata costs no pixels, and cut files give the rows that they have."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from clipsearch.images.decoded_image import DecodedImage
from tests.helpers.image_files import SIZE, distance, encoded, scene

pytest.importorskip("pillow_heif")


def textured(width: int = 120, height: int = 96) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(0).integers(0, 60, (height, width))
    return Image.fromarray(np.dstack([x + noise, 2 * y, (x * y) % 199]).astype(np.uint8))


PNG, JPEG = encoded(scene(), "PNG"), encoded(scene(), "JPEG", quality=95, subsampling=0)
BEFORE_PIXELS, AFTER_PIXELS = 33, PNG.rindex(b"IEND") - 4
TEXT = bytes(random.Random(1).choices(b"abcdefgh", k=1_500_000))


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    crc = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def is_whole(decoded: DecodedImage) -> bool:
    right = distance(decoded.image, scene()) < 6
    return right and not decoded.truncated and (decoded.width, decoded.height) == SIZE


KINDS = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"prVt"]
CONTENTS = [b"", b"x", b"a\0", b"a\0\0\0zz", b"a\0\1\0zz\0", b"d" * 100]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [BEFORE_PIXELS, AFTER_PIXELS])
@pytest.mark.parametrize("checksum", [None, 1])
def test_no_chunk_of_metadata_costs_the_pixels_of_a_png(
    kind: bytes, at: int, checksum: int | None
) -> None:
    for content in CONTENTS:
        assert is_whole(decode(PNG[:at] + chunk(kind, content, checksum) + PNG[at:])), content


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(TEXT)),
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(TEXT)),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(2_000_000))),
        chunk(b"tEXt", b"a\0" + TEXT) * 50,
    ],
    ids=["zTXt", "iTXt", "iCCP", "tEXt"],
)
def test_metadata_beyond_pillows_limits_is_ignored(metadata: bytes) -> None:
    assert is_whole(decode(PNG[:BEFORE_PIXELS] + metadata + PNG[BEFORE_PIXELS:]))


@pytest.mark.parametrize("checksum", [None, 1])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_transparency_that_is_too_short_costs_no_pixels(mode: str, checksum: int | None) -> None:
    data = encoded(scene().convert(mode), "PNG")
    at = data.index(b"IDAT") - 4
    damaged = data[:at] + chunk(b"tRNS", b"", checksum) + data[at:]
    assert distance(decode(damaged).image, decode(data).image) == 0


def test_repairing_a_png_keeps_its_transparency_and_orientation() -> None:
    bad = chunk(b"tEXt", b"a\0b", checksum=1)
    drawing = Image.new("P", (8, 8), 0)
    drawing.putpalette([250, 30, 30, 0, 0, 0])
    drawing.putpixel((0, 0), 1)
    data = encoded(drawing, "PNG", transparency=1)
    assert decode(data[:33] + bad + data[33:]).image.getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(scene(), "PNG", exif=exif)
    assert decode(data[:33] + bad + data[33:]).image.size == SIZE[::-1]


SEGMENTS = {
    "no length": b"\xff\xe1\0\0",
    "a length of one": b"\xff\xe1\0\1",
    "a length beyond the pixels": b"\xff\xe1\xff\xffExif\0\0MM",
    "a short JFIF header": b"\xff\xe0\0\x04JF",
    "a part of a profile": b"\xff\xe2\0\x12ICC_PROFILE\0\2\3ab",
    "a short Adobe segment": b"\xff\xee\0\x07Adobe",
    "a broken Photoshop resource": b"\xff\xed\0\x16Photoshop 3.0\x008BIM\x04",
    "a comment that is too long": b"\xff\xfe\xff\xffhi",
    "bytes between segments": b"abcdef",
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_no_segment_of_metadata_costs_the_pixels_of_a_jpeg(name: str) -> None:
    at = 4 + int.from_bytes(JPEG[4:6], "big")
    assert is_whole(decode(JPEG[:at] + SEGMENTS[name] + JPEG[at:]))


def test_a_thumbnail_in_broken_metadata_is_not_taken_for_the_image() -> None:
    thumbnail = encoded(Image.new("RGB", (16, 16), "white"), "JPEG")
    metadata = b"\xff\xe1\xff\xffExif\0\0" + bytes(20) + thumbnail
    assert is_whole(decode(JPEG[:2] + metadata + JPEG[2:]))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "HEIF", "PNG"])
@settings(max_examples=40)
@given(data=st.data())
def test_damaged_exif_costs_no_pixels(kind: str, data: st.DataObject) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:07:08 09:10:11"
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    file = bytearray(encoded(scene(), kind, exif=exif.tobytes(), quality=95))
    start = file.index(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        file[start + place] = data.draw(st.integers(0, 255))
    decoded = decode(bytes(file))
    if decoded.image.size == SIZE:  # the damage may have made an orientation
        expected = [
            scene(),
            *(scene().transpose(way) for way in Image.Transpose if way in (0, 1, 3)),
        ]
        assert min(distance(decoded.image, image) for image in expected) < 8


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_jpeg_without_its_end_marker_is_whole(options: dict[str, bool]) -> None:
    data = encoded(scene(), "JPEG", quality=95, subsampling=0, **options)
    for cut in (data[:-2], data[:-1], data[:-2] + bytes(100)):
        assert is_whole(decode(cut))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF"])
@pytest.mark.parametrize("share", [0.99, 0.9])
def test_a_cut_file_gives_the_rows_that_it_has(kind: str, share: float) -> None:
    image = textured()
    data = encoded(image, kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    decoded = decode(data[: int(share * len(data))])
    whole = decode(data).image
    assert decoded.truncated
    assert (decoded.width, decoded.height) == image.size
    height = decoded.image.height
    assert 0.75 * image.height <= height < image.height
    top = image.height - height if kind == "BMP" else 0  # it begins with the last row
    assert distance(decoded.image, whole.crop((0, top, image.width, top + height))) < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP"])
def test_a_file_that_lacks_more_than_a_quarter_is_refused(kind: str) -> None:
    data = encoded(textured(), kind)
    with pytest.raises(ImageError, match="truncated"):
        decode(data[: len(data) // 2])


def test_a_progressive_jpeg_that_lacks_sharpness_only_is_decoded() -> None:
    image = textured()
    data = encoded(image, "JPEG", progressive=True, quality=90)
    decoded = decode(data[: int(0.9 * len(data))])
    assert decoded.truncated
    assert decoded.image.size == image.size
    assert distance(decoded.image, decode(data).image) < 4
    with pytest.raises(ImageError, match="truncated"):
        decode(data[: len(data) // 5])


def test_the_rows_of_a_cut_image_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(textured(), "JPEG", quality=95, exif=exif.tobytes())
    decoded = decode(data[: int(0.97 * len(data))])
    assert decoded.truncated
    assert (decoded.width, decoded.height) == (96, 120)
    assert decoded.image.height == 120
    assert decoded.image.width < 96


def empty_frames() -> list[Callable[[], Image.Image]]:
    return [
        lambda: Image.new("RGBA", SIZE, (0, 0, 0, 0)),
        lambda: Image.new("RGBA", SIZE, "white"),
        lambda: Image.new("RGBA", SIZE, "black"),
    ]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("count", [1, 3])
def test_the_first_frame_that_shows_something_is_taken(kind: str, number: int, count: int) -> None:
    empty = empty_frames()[number]
    other = Image.new("RGBA", SIZE, "gray")
    frames = [*(empty() for _ in range(count - 1)), scene().convert("RGBA"), other]
    out = io.BytesIO()
    empty().save(out, kind, save_all=True, append_images=frames, duration=100, disposal=0)
    decoded = decode(out.getvalue())
    assert distance(decoded.image, scene()) < 12


def test_an_animation_of_empty_frames_is_its_first_one() -> None:
    frames = [Image.new("RGB", SIZE, "blue")]
    data = encoded(Image.new("RGB", SIZE, "red"), "GIF", save_all=True, append_images=frames)
    assert decode(data).image.getpixel((0, 0)) == (255, 0, 0)
