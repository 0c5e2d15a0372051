"""JPEG XL is decoded upright, with its profile and its capture time."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from clipsearch.errors import ImageError, MissingDecoderError
from clipsearch.images.decode import decode
from tests.helpers.image_files import SIZE, distance, encoded, rotated, scene

pylibjxl = pytest.importorskip("pylibjxl")


def saved(image: Image.Image, **options: object) -> bytes:
    data: bytes = pylibjxl.encode(np.asarray(image), effort=3, lossless=True, **options)
    return data


@pytest.mark.parametrize("container", [False, True])
def test_pixels_are_read_from_both_kinds_of_file(container: bool) -> None:
    data = saved(scene(), exif=Image.Exif().tobytes() if container else None)
    assert data.startswith(b"\0\0\0\x0cJXL " if container else b"\xff\x0a")
    decoded = decode(data)
    assert (decoded.format, decoded.width, decoded.height) == ("jpegxl", *SIZE)
    assert distance(decoded.image, scene()) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_inside_is_turned_upright_once(orientation: int) -> None:
    stored, exif = rotated(orientation)
    exif[0x9003] = "2019:05:06 07:08:09"
    jpeg = encoded(stored, "JPEG", exif=exif, quality=95, subsampling=0)
    decoded = decode(pylibjxl.jpeg_to_jxl(jpeg))
    assert (decoded.width, decoded.height) == SIZE
    assert distance(decoded.image, scene()) < 6


def test_the_capture_time_is_read() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    for prefix in (b"", b"Exif\0\0"):
        data = prefix + exif.tobytes().removeprefix(b"Exif\0\0")
        taken = decode(saved(scene(), exif=data)).metadata.taken_at
        assert str(taken) == "2019-05-06 07:08:09"


def test_gray_transparent_and_wide_gamut_images_are_converted() -> None:
    assert (
        distance(decode(saved(scene().convert("L"))).image.convert("L"), scene().convert("L")) < 1
    )
    clear = Image.new("RGBA", SIZE, (255, 0, 0, 0))
    assert decode(saved(clear)).image.getpixel((0, 0)) == (255, 255, 255)
    # A profile that swaps red and blue shows that it is applied.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    image = Image.new("RGB", SIZE, (255, 0, 0))
    decoded = decode(saved(image, icc=swapped)).image
    assert decoded.getpixel((5, 5)) == expected(image, swapped)


def expected(image: Image.Image, profile: bytes) -> object:
    """What Pillow converts the pixel to, for a PNG with the same profile."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=profile)
    return decode(buffer.getvalue()).image.getpixel((5, 5))


def test_damage_and_size_have_reasons() -> None:
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)))
    for cut in (data[:12], data[: len(data) // 2], b"\xff\x0a" + bytes(60)):
        with pytest.raises(ImageError, match="truncated or corrupt"):
            decode(cut)
    with pytest.raises(ImageError, match="too many pixels: 99 x 99"):
        decode(data, max_pixels=9800)


def test_without_pylibjxl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylibjxl", None)
    with pytest.raises(MissingDecoderError, match=r"clipsearch\[jxl\]"):
        decode(b"\xff\x0a" + bytes(99))
