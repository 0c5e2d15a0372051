"""Pixels of every mode, depth and color space become 8-bit sRGB without transparency."""

import struct
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from clipsearch.images.decode import decode, upright
from tests.helpers.image_files import encoded, pixels


def one_pixel(data: bytes) -> tuple[int, ...]:
    decoded = decode(data).image
    assert decoded.mode == "RGB"
    return tuple(int(value) for value in pixels(decoded)[0, 0])


def near(got: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 3) -> bool:
    return max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= tolerance


# Transparency


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "JPEG2000"])
def test_clear_parts_are_white_and_half_clear_ones_half_white(kind: str) -> None:
    image = Image.new("RGBA", (96, 16), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (32, 0, 64, 16))
    image.paste((0, 0, 0, 128), (64, 0, 96, 16))
    row = pixels(decode(encoded(image, kind, lossless=True, quality=100)).image)[8]
    assert near(tuple(row[16]), (255, 0, 0), 4)
    assert near(tuple(row[48]), (255, 255, 255), 4)
    assert near(tuple(row[80]), (127, 127, 127), 4)


def test_clear_grays_are_white() -> None:
    assert one_pixel(encoded(Image.new("LA", (4, 4), (10, 0)), "PNG")) == (255, 255, 255)
    assert one_pixel(encoded(Image.new("LA", (4, 4), (10, 255)), "PNG")) == (10, 10, 10)


@pytest.mark.parametrize(
    ("mode", "color", "other"),
    [("RGB", (10, 20, 30), (10, 20, 31)), ("L", 77, 78), ("1", 0, 1), ("I;16", 70, 65535)],
)
def test_a_color_declared_clear_gives_way_to_the_ground_and_its_neighbor_does_not(
    mode: str, color: int | tuple[int, ...], other: int | tuple[int, ...]
) -> None:
    image = Image.new(mode, (4, 4), color)
    image.putpixel((1, 0), other)
    decoded = decode(encoded(image, "PNG", transparency=color)).image
    plain = decode(encoded(image, "PNG")).image
    ground = (0 if other in (1, 65535) else 255,) * 3
    assert decoded.getpixel((0, 0)) == ground
    assert decoded.getpixel((1, 0)) == plain.getpixel((1, 0)) != ground


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_clear_palette_entries_are_white(kind: str) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 255, 0])
    image.putpixel((1, 0), 2)
    decoded = decode(encoded(image, kind, transparency=1)).image
    assert decoded.getpixel((0, 0)) == (255, 255, 255)
    assert decoded.getpixel((1, 0)) == (0, 255, 0)


def test_palettes_with_an_alpha_for_each_entry_blend_without_a_warning() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert near(one_pixel(encoded(image, "PNG", transparency=b"\xff\x80")), (127, 127, 255))


@pytest.mark.parametrize("mode", ["RGBa", "La", "PA", "RGBX", "YCbCr", "HSV"])
def test_modes_that_only_callers_make_are_understood(mode: str) -> None:
    gray = Image.new("LA", (4, 4), (200, 255)) if mode == "La" else None
    source = gray or Image.new("RGBA", (4, 4), (200, 200, 200, 255))
    if mode == "PA":
        made = Image.new("PA", (4, 4), (1, 255))
        made.putpalette([0, 0, 0, 200, 200, 200])
    else:
        made = (source if mode in ("RGBa", "La") else source.convert("RGB")).convert(mode)
    assert upright(made).mode == "RGB"
    assert near(upright(made).getpixel((0, 0)), (200, 200, 200))  # type: ignore[arg-type]


# Depth


def ramp(image: Image.Image) -> NDArray[np.int16]:
    """The gray levels of the first row; the image must be gray."""
    row = pixels(image)[0]
    assert (row == row[:, :1]).all()
    gray: NDArray[np.int16] = row[:, 0]
    return gray


STEPS = np.linspace(0, 1, 256)
EXPECTED = np.arange(256)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_sixteen_bit_gradients_keep_their_shape(kind: str) -> None:
    values = np.tile(np.rint(STEPS * 65535).astype(np.uint16), (4, 1))
    got = ramp(decode(encoded(Image.fromarray(values), kind)).image)
    assert np.abs(got - EXPECTED).max() <= 1


def test_big_endian_sixteen_bits_are_the_same() -> None:
    values = np.tile(np.rint(STEPS * 65535).astype(">u2"), (4, 1))
    data = tiff([(258, 16), (262, 1)], values.tobytes(), 256, 4, order=">")
    assert np.abs(ramp(decode(data).image) - EXPECTED).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_tiff_with_a_sensors_bits_in_sixteen_is_not_black(bits: int) -> None:
    values = np.tile(np.rint(STEPS * ((1 << bits) - 1)).astype(np.uint16), (4, 1))
    got = ramp(decode(encoded(Image.fromarray(values), "TIFF")).image)
    assert np.abs(got - EXPECTED).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG2000"])
def test_where_the_format_says_what_white_is_a_dark_image_stays_dark(kind: str) -> None:
    dark = Image.fromarray(np.full((8, 8), 20 * 257, np.uint16))
    assert near(one_pixel(encoded(dark, kind)), (20, 20, 20), 1)


@pytest.mark.parametrize("low", [-70_000, -5, 0, 90_000])
def test_thirty_two_bit_integers_are_stretched(low: int) -> None:
    values = np.tile(np.rint(low + STEPS * 2_000_000).astype(np.int32), (4, 1))
    got = ramp(decode(encoded(Image.fromarray(values), "TIFF")).image)
    assert np.abs(got - EXPECTED).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (0, 4000), (-3, 7), (-3e38, 3e38)])
def test_float_gradients_keep_their_shape(low: float, high: float) -> None:
    values = np.tile((low * (1 - STEPS) + high * STEPS).astype(np.float32), (4, 1))
    got = ramp(decode(encoded(Image.fromarray(values), "TIFF")).image)
    assert np.abs(got - EXPECTED).max() <= 1


def test_floats_that_are_no_numbers_do_no_harm() -> None:
    values = np.array([[0, 1, np.nan, np.inf, -np.inf, 0.5]], np.float32)
    got = ramp(decode(encoded(Image.fromarray(values), "TIFF")).image)
    assert got.tolist() == [0, 255, 0, 255, 0, 128]
    for value in (np.nan, np.inf, 0.25):
        upright(Image.fromarray(np.full((2, 2), value, np.float32)))


def test_a_dim_float_image_is_not_brightened() -> None:
    assert upright(Image.fromarray(np.full((2, 2), 0.5, np.float32))).getpixel((0, 0)) == (128,) * 3


@pytest.mark.parametrize("order", ["<", ">"])
def test_colors_of_sixteen_bits_keep_their_upper_half(order: str) -> None:
    values = np.array([65535, 32768, 256] * 16, f"{order}u2")
    data = tiff([(258, 16), (262, 2), (277, 3)], values.tobytes(), 4, 4, order=order)
    assert near(one_pixel(data), (255, 128, 1), 1)


def test_one_bit_and_gray_images_become_rgb() -> None:
    for kind in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        assert one_pixel(encoded(Image.new("1", (9, 9), 1), kind)) == (255, 255, 255)
        assert one_pixel(encoded(Image.new("L", (9, 9), 99), kind)) == (99, 99, 99)


# Color


COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 180, 20)]


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_comes_near_the_right_colors(kind: str, color: tuple[int, int, int]) -> None:
    data = encoded(Image.new("RGB", (16, 16), color).convert("CMYK"), kind)
    assert near(one_pixel(data), color, 4)


def test_ycck_as_photoshop_writes_it_is_not_inverted() -> None:
    # Same JPEG components, but declared YCCK: converted back by hand, the color must come out.
    cmyk = (40, 200, 90, 30)
    c, m, y, _ = cmyk  # libjpeg and Adobe invert once each
    luma = 0.299 * c + 0.587 * m + 0.114 * y
    ycck = (luma, 128 + (y - luma) / 1.772, 128 + (c - luma) / 1.402, 255 - cmyk[3])
    planes = tuple(255 - round(value) for value in ycck)  # Pillow inverts while it saves
    data = encoded(Image.new("CMYK", (16, 16), planes), "JPEG", quality=100)
    at = data.index(b"Adobe") + 11  # the transform byte of the APP14 segment
    assert data[at] == 0
    data = data[:at] + b"\2" + data[at + 1 :]
    expected = Image.new("CMYK", (1, 1), cmyk).convert("RGB").getpixel((0, 0))
    assert isinstance(expected, tuple)
    assert near(one_pixel(data), tuple(int(value) for value in expected), 5)


def test_lab_comes_near_the_right_colors() -> None:
    # CIE L*a*b* of sRGB red at D50 is about (54.3, 80.8, 69.9).
    lab = Image.new("LAB", (8, 8), (round(54.3 * 2.55), 128 + 81, 128 + 70))
    assert near(one_pixel(encoded(lab, "TIFF")), (255, 0, 0), 6)


def test_a_wide_gamut_profile_changes_pixels_towards_srgb() -> None:
    # Adobe RGB (219, 0, 0) is about sRGB red.
    image = Image.new("RGB", (8, 8), (219, 0, 0))
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
        data = encoded(image, kind, icc_profile=ADOBE_RGB, quality=100)
        assert near(one_pixel(data), (255, 0, 0), 4), kind
        assert near(one_pixel(encoded(image, kind, quality=100)), (219, 0, 0), 4), kind


def test_profiles_count_for_palettes_grays_and_transparent_images_too() -> None:
    palette = Image.new("RGB", (8, 8), (219, 0, 0)).quantize(4)
    assert near(one_pixel(encoded(palette, "PNG", icc_profile=ADOBE_RGB)), (255, 0, 0))
    clear = Image.new("RGBA", (8, 8), (219, 0, 0, 255))
    clear.putpixel((0, 0), (0, 0, 0, 0))
    decoded = decode(encoded(clear, "PNG", icc_profile=ADOBE_RGB)).image
    assert near(decoded.getpixel((0, 0)), (255, 255, 255))  # type: ignore[arg-type]
    assert near(decoded.getpixel((5, 5)), (255, 0, 0))  # type: ignore[arg-type]
    linear = profile("GRAY", {"kTRC": curve(1.0)})
    for gray in (Image.new("L", (8, 8), 55), Image.new("LA", (8, 8), (55, 255))):
        assert near(one_pixel(encoded(gray, "PNG", icc_profile=linear)), (128, 128, 128))
    deep = Image.fromarray(np.full((8, 8), 55 * 257, np.uint16))
    assert near(one_pixel(encoded(deep, "PNG", icc_profile=linear)), (128, 128, 128))


def test_a_cmyk_profile_is_used() -> None:
    data = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100)
    plain = one_pixel(data)
    with_profile = one_pixel(
        encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", icc_profile=CMYK, quality=100)
    )
    assert near(plain, (0, 255, 255), 4)
    assert near(with_profile, (119, 119, 119), 4)  # the profile calls every full colored ink L* 50


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_an_srgb_profile_changes_nothing() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    decoded = decode(encoded(Image.fromarray(noise), "PNG", icc_profile=SRGB)).image
    assert (np.asarray(decoded) == noise).all()


def test_broken_and_unfitting_profiles_are_ignored() -> None:
    for bad in (b"no profile", SRGB[:200], SRGB[:128] + bytes(400), CMYK):
        for mode, color in (("RGB", (219, 0, 0)), ("L", 55)):
            image = Image.new(mode, (8, 8), color)
            expected = image.convert("RGB").getpixel((0, 0))
            assert one_pixel(encoded(image, "PNG", icc_profile=bad)) == expected
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert near(one_pixel(encoded(cyan, "JPEG", icc_profile=SRGB)), (0, 255, 255), 4)


# Files by hand: what Pillow does not write.


def tiff(tags: list[tuple[int, int]], data: bytes, width: int, height: int, *, order: str) -> bytes:
    """An uncompressed TIFF of one strip; `order` is "<" or ">", tag values fit into 16 bits."""
    bits = dict(tags).pop(258)
    samples = dict(tags).get(277, 1)
    entries = {256: (3, width), 257: (3, height), 259: (3, 1), 278: (3, height)}
    entries |= {tag: (3, value) for tag, value in tags}
    entries |= {273: (4, 0), 279: (4, len(data))}
    start = 8 + 2 + 12 * len(entries) + 4
    entries[273] = (4, start + 2 * samples)
    out = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))
    for tag, (kind, value) in sorted(entries.items()):
        if tag == 258 and samples > 1:
            out += struct.pack(f"{order}HHII", tag, 3, samples, start)
        else:
            field = struct.pack(f"{order}{'H2x' if kind == 3 else 'I'}", value)
            out += struct.pack(f"{order}HHI", tag, kind, 1) + field
    return out + bytes(4) + struct.pack(f"{order}{samples}H", *[bits] * samples) + data


def curve(gamma: float) -> bytes:
    return struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))


def xyz(x: float, y: float, z: float) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in (x, y, z)))


def profile(
    space: str, tags: dict[str, bytes], connection: str = "XYZ ", kind: str = "mntr"
) -> bytes:
    """An ICC v2 profile (ICC.1:2001-04) of the given tags."""
    text = b"test\0"
    tags = {
        "desc": struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        "cprt": b"text\0\0\0\0test\0",
        "wtpt": xyz(0.9642, 1.0, 0.8249),
    } | tags
    body, table = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name.encode(), start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        start + len(body),
        0x02400000,
        kind.encode(),
        space.ljust(4).encode(),
        connection.encode(),
        b"acsp",
        *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)),
    )
    return head + table + body


# The primaries of Adobe RGB (1998), adapted to D50.
ADOBE_RGB = profile(
    "RGB",
    {
        "rXYZ": xyz(0.6097, 0.3111, 0.0195),
        "gXYZ": xyz(0.2053, 0.6257, 0.0609),
        "bXYZ": xyz(0.1492, 0.0632, 0.7446),
        **{f"{channel}TRC": curve(2.2) for channel in "rgb"},
    },
)

_identity = bytes(range(256))
_paper, _black, _ink = (bytes((light, 128, 128)) for light in (255, 0, 128))
CMYK = profile(
    "CMYK",
    {
        "A2B0": struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2)
        + struct.pack(">9i", *(65536 * value for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
        + _identity * 4
        + _paper
        + _black  # the black ink counts fastest
        + (_ink + _black) * 7
        + _identity * 3
    },
    "Lab ",
    "prtr",
)
