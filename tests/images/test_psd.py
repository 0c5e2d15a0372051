"""Photoshop files give their merged image, in every mode and depth, or say why not."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from tests.helpers.image_files import SIZE, distance, encoded, scene
from tests.helpers.psd_files import layer_list, psd


def planes(image: Image.Image) -> list[NDArray[np.uint8]]:
    return [np.asarray(band, np.uint8) for band in image.split()]


RGB = planes(scene())
WHITE = np.full((SIZE[1], SIZE[0]), 255, np.uint8)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("depth", [8, 16, 32])
def test_colors_of_every_depth_are_read(depth: int, large: bool, packed: bool) -> None:
    channels: list[NDArray[np.generic]] = list(RGB)
    if depth == 16:
        channels = [(plane.astype(np.uint16) * 257).astype(">u2") for plane in RGB]
    if depth == 32:
        channels = [((plane / 255) ** 2.2).astype(">f4") for plane in RGB]
    decoded = decode(psd(channels, 3, depth=depth, packed=packed, large=large))
    assert (decoded.format, decoded.width, decoded.height) == ("psd", *SIZE)
    assert distance(decoded.image, scene()) <= 1


def test_other_modes_are_read() -> None:
    gray = scene().convert("L")
    for mode in (1, 8):
        assert distance(decode(psd(planes(gray), mode)).image, gray.convert("RGB")) == 0
    inks = [255 - plane for plane in planes(scene().convert("CMYK"))]
    assert distance(decode(psd(inks, 4)).image, scene().convert("CMYK").convert("RGB")) < 1
    paletted = scene().quantize(8)
    palette = np.zeros((256, 3), np.uint8)
    colors = np.reshape(paletted.getpalette() or [], (-1, 3))
    palette[: len(colors)] = colors
    indexed = psd(planes(paletted), 2, palette=palette.T.tobytes())
    assert distance(decode(indexed).image, paletted.convert("RGB")) == 0
    black = np.packbits(np.asarray(gray) < 128, axis=1)
    bitmap = decode(psd([black], 0, depth=1)).image
    assert distance(bitmap, gray.point(lambda value: 255 * (value >= 128)).convert("RGB")) == 0
    lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert distance(decode(psd(planes(lab), 9)).image, scene()) < 6


def test_a_saved_selection_is_not_transparency() -> None:
    selection = np.zeros_like(WHITE)
    decoded = decode(psd([*RGB, selection], 3, layers=layer_list(1)))
    assert distance(decoded.image, scene()) == 0
    assert distance(decode(psd([*RGB, selection], 3)).image, scene()) == 0


@pytest.mark.parametrize("large", [False, True])
def test_transparency_of_the_merged_image_is_used(large: bool) -> None:
    alpha = WHITE.copy()
    alpha[:, :24] = 0
    decoded = decode(psd([*RGB, alpha], 3, large=large, layers=layer_list(-2, large=large)))
    same = scene().convert("RGBA")
    same.putalpha(Image.fromarray(alpha))
    assert distance(decoded.image, decode(encoded(same, "PNG")).image) == 0
    assert distance(decoded.image, scene()) > 20


def test_the_profile_and_the_capture_time_are_used() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    resources = {1039: swapped, 1058: exif.tobytes().removeprefix(b"Exif\0\0"), 1057: b"\0\0\0\1\1"}
    decoded = decode(psd(RGB, 3, resources=resources))
    assert str(decoded.metadata.taken_at) == "2019-05-06 07:08:09"
    same = decode(encoded(scene(), "PNG", icc_profile=swapped))
    assert distance(decoded.image, same.image) < 2
    assert distance(decoded.image, scene()) > 20


def test_a_file_without_a_merged_image_is_refused() -> None:
    data = psd([WHITE] * 3, 3, resources={1057: struct.pack(">IB", 1, 0) + bytes(8)})
    with pytest.raises(ImageError, match="no merged image: save it with 'Maximize Compatibility'"):
        decode(data)


def test_what_cannot_be_read_has_a_reason() -> None:
    for data, reason in (
        (psd(RGB, 7), "Photoshop mode 7"),
        (psd(RGB, 3)[:-1], "truncated"),
        (psd(RGB, 3)[:40], "truncated"),
        (psd(RGB, 3, packed=True)[:-9], "truncated"),
        (psd(RGB[:2], 3), "truncated"),
        (psd(RGB, 3).replace(b"\0\0" + RGB[0].tobytes(), b"\0\3"), "compression 3"),
    ):
        with pytest.raises(ImageError, match=reason):
            decode(data)
    with pytest.raises(ImageError, match="too many pixels: 48 x 32"):
        decode(psd(RGB, 3), max_pixels=999)


def test_a_compressed_merged_image_is_inflated() -> None:
    whole = b"".join(plane.tobytes() for plane in RGB)
    data = psd(RGB, 3).replace(b"\0\0" + whole, b"\0\2" + zlib.compress(whole))
    assert distance(decode(data).image, scene()) == 0


def test_pillow_agrees() -> None:
    for packed in (False, True):
        data = psd(RGB, 3, packed=packed)
        with Image.open(io.BytesIO(data)) as image:
            assert distance(decode(data).image, image.convert("RGB")) == 0


@settings(max_examples=200)
@given(st.data())
def test_damage_raises_nothing_but_an_image_error(data: st.DataObject) -> None:
    file = bytearray(psd(RGB, 3, packed=True, resources={1057: b"\0\0\0\1\1"}))
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(12, 300))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode(bytes(file), max_pixels=100_000)
    except ImageError:
        return
    assert decoded.image.mode == "RGB"
