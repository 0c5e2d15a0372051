"""Drawings on transparency differ from a blank page, whatever their color."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from clipsearch.images.decode import decode, upright
from tests.helpers.image_files import encoded

GRAYS = [0, 40, 100, 128, 170, 200, 225, 255]


def drawing(color: tuple[int, ...], mode: str = "RGBA") -> Image.Image:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 40, 38), fill=color)
    return image.convert(mode)


def contrast(image: Image.Image) -> int:
    return int(np.ptp(np.asarray(image.convert("L")).astype(int)))


@pytest.mark.parametrize("level", GRAYS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_a_gray_drawing_stands_out(kind: str, level: int) -> None:
    assert contrast(decode(encoded(drawing((level,) * 3 + (255,)), kind)).image) >= 55


@pytest.mark.parametrize("level", GRAYS)
def test_a_gray_drawing_stands_out_in_other_modes(level: int) -> None:
    image = drawing((level,) * 3 + (255,))
    palette = Image.new("P", image.size, 0)
    palette.putpalette([level, level, level] * 2)
    palette.paste(1, mask=image.getchannel("A"))
    keyed = Image.new("L", image.size, 77)
    keyed.paste(level, mask=image.getchannel("A"))
    deep = Image.fromarray(np.asarray(keyed).astype(np.uint16) * 257)
    for data in (
        encoded(drawing((level,) * 3 + (255,), "LA"), "PNG"),
        encoded(palette, "PNG", transparency=bytes([0, 255])),
        encoded(keyed, "PNG", transparency=77),
        encoded(keyed.convert("RGB"), "PNG", transparency=(77, 77, 77)),
        encoded(deep, "PNG", transparency=77 * 257),
    ):
        assert contrast(decode(data).image) >= 55
    assert contrast(upright(image)) >= 55


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(120, 255))
def test_any_color_stands_out_even_if_it_is_translucent(
    color: tuple[int, int, int], alpha: int
) -> None:
    assert contrast(upright(drawing((*color, alpha)))) >= 25


def test_a_drawing_in_black_and_white_shows_both() -> None:
    image = drawing((255, 255, 255, 255))
    ImageDraw.Draw(image).rectangle((44, 10, 60, 38), fill=(0, 0, 0, 255))
    assert len(upright(image).convert("L").getcolors() or []) == 3


def test_dark_drawings_and_cut_out_objects_are_on_white() -> None:
    for color in ((0, 0, 0), (200, 30, 30), (90, 110, 150)):
        assert upright(drawing((*color, 255))).getpixel((0, 0)) == (255, 255, 255)


def test_a_nearly_invisible_layer_does_not_decide() -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 1))
    ImageDraw.Draw(image).ellipse((20, 20, 28, 28), fill="white")
    assert contrast(upright(image)) > 100


def test_a_tiny_drawing_in_a_large_image_is_found() -> None:
    image = Image.new("RGBA", (2100, 2001), (0, 0, 0, 0))
    image.putpixel((1777, 1801), (255, 255, 255, 255))
    assert upright(image).getpixel((1777, 1801)) != upright(image).getpixel((0, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_pixels_stay_as_they_are(mode: str) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 50, len(mode)), np.uint8)
    noise[..., -1] = 255
    image = Image.fromarray(noise[..., -2:] if mode == "LA" else noise)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(np.asarray(upright(image)), expected)
    image.putpixel((0, 0), (0,) * len(mode))
    assert np.array_equal(np.asarray(upright(image))[1:], expected[1:])


@pytest.mark.parametrize("header", [56, 108, 124])
def test_a_bitmap_whose_alpha_is_unused_is_opaque(header: int) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., :3] = np.random.default_rng(3).integers(0, 256, (8, 8, 3))
    masks = b"".join(m.to_bytes(4, "little") for m in (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    fields = [(header, 4), (8, 4), (8, 4), (1, 2), (32, 2), (3, 4), (256, 4)]
    info = b"".join(value.to_bytes(size, "little") for value, size in fields) + bytes(16) + masks
    info = info.ljust(header, b"\0")
    start = 14 + len(info)
    data = b"BM" + (start + 256).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little")
    data += info + pixels[::-1].tobytes()
    assert Image.open(io.BytesIO(data)).mode == "RGBA"
    decoded = np.asarray(decode(data).image)
    assert np.array_equal(decoded, pixels[..., 2::-1])
