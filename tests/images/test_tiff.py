"""Every layout of TIFF gives the right pixels, or says why not."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from tests.helpers.image_files import rotated, scene

tifffile = pytest.importorskip("tifffile")

Array = NDArray[Any]
TYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"]


def gradient() -> Image.Image:
    y, x = np.mgrid[0:60, 0:80]
    pixels = np.dstack([x * 3, y * 4, (x + y) * 255 // 140]).astype(np.uint8)
    pixels[20:40, 20:40] = (250, 220, 30)
    return Image.fromarray(pixels)


RGB = np.asarray(gradient())
GRAY = np.asarray(gradient().convert("L"))
CMYK = np.asarray(gradient().convert("CMYK"))
OPAQUE = np.full((*GRAY.shape, 1), 255, np.uint8)

# Samples, options of tifffile, and the expected pixels.
LAYOUTS: dict[str, tuple[Array, dict[str, Any], Array]] = {
    "gray": (GRAY, {"photometric": "minisblack"}, GRAY),
    "min is white": (255 - GRAY, {"photometric": "miniswhite"}, GRAY),
    "gray and alpha": (
        np.dstack([GRAY, OPAQUE]),
        {"photometric": "minisblack", "extrasamples": ["unassalpha"]},
        GRAY,
    ),
    "RGB": (RGB, {"photometric": "rgb"}, RGB),
    "RGBA": (
        np.dstack([RGB, OPAQUE]),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        RGB,
    ),
    "premultiplied": (
        np.dstack([RGB, OPAQUE]),
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        RGB,
    ),
    "RGB and more": (
        np.dstack([RGB, OPAQUE // 2]),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
        RGB,
    ),
    "CMYK": (CMYK, {"photometric": "separated"}, RGB),
    "CMYK and alpha": (
        np.dstack([CMYK, OPAQUE]),
        {"photometric": "separated", "extrasamples": ["unassalpha"]},
        RGB,
    ),
}

STORAGE: list[dict[str, Any]] = [
    {"byteorder": "<"},
    {"byteorder": ">"},
    {"byteorder": ">", "compression": "lzw"},
    {"byteorder": ">", "compression": "zlib", "tile": (32, 32)},
    {"compression": "lzw"},
    {"compression": "zlib", "predictor": True},
    {"tile": (32, 32)},
    {"tile": (32, 32), "compression": "zlib"},
    {"rowsperstrip": 7},
    {"bigtiff": True},
]


def as_type(values: Array, name: str) -> Array:
    kind = np.dtype(name)
    if kind.kind == "f":
        return (values / 255).astype(kind)
    limits = np.iinfo(kind)
    wide = values / 255 * (int(limits.max) - int(limits.min)) + int(limits.min)
    return np.clip(wide, limits.min, limits.max).astype(kind)


def saved(values: Array, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **options)
    return out.getvalue()


def agreement(data: bytes, expected: Array) -> float:
    """The correlation of decoded and expected pixels."""
    image = decode(data).image
    got = np.asarray(image if expected.ndim == 3 else image.convert("L"), float)
    assert got.shape == expected.shape
    return float(np.corrcoef(got.ravel(), expected.ravel())[0, 1])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_samples_of_every_type_and_order_give_the_right_pixels(name: str, kind: str) -> None:
    pytest.importorskip("imagecodecs")
    values, options, expected = LAYOUTS[name]
    values = as_type(values, kind)
    for storage in STORAGE:
        assert agreement(saved(values, **options, **storage), expected) > 0.99, storage
        if values.ndim == 3:
            planes = np.moveaxis(values, -1, 0)
            planar = saved(planes, planarconfig="separate", **options, **storage)
            assert agreement(planar, expected) > 0.99, storage


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("signed", [True, False])
def test_lab_gives_the_right_pixels(kind: str, *, signed: bool) -> None:
    srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    image = ImageCms.profileToProfile(gradient(), srgb, lab, outputMode="LAB")
    assert image is not None
    values = np.asarray(image).copy()  # a* and b* are signed, as CIE L*a*b* has them
    if not signed:
        values[..., 1:] ^= 0x80
    wide = values.astype(np.uint16) << 8 if kind == "uint16" else values
    photometric = "cielab" if signed else "icclab"
    assert agreement(saved(wide, photometric=photometric), RGB) > 0.99
    planes = saved(np.moveaxis(wide, -1, 0), photometric=photometric, planarconfig="separate")
    assert agreement(planes, RGB) > 0.99


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_samples_of_few_bits_give_the_right_pixels(bits: int, photometric: str) -> None:
    pytest.importorskip("imagecodecs")
    high = (1 << bits) - 1
    source = RGB if photometric == "rgb" else GRAY
    values = np.rint(source / 255 * high).astype(np.uint8 if bits < 9 else np.uint16)
    stored = high - values if photometric == "miniswhite" else values
    data = saved(stored.astype(values.dtype), photometric=photometric, bitspersample=bits)
    assert agreement(data, values) > 0.999 if bits > 2 else agreement(data, values) > 0.99


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_palette_gives_its_colors(kind: str) -> None:
    image = gradient().quantize(64)
    colors = np.array(image.getpalette(), np.uint16).reshape(-1, 3)
    palette = np.zeros((3, 1 << (8 * np.dtype(kind).itemsize)), np.uint16)
    palette[:, : len(colors)] = colors.T * 257
    indices = np.asarray(image).astype(kind)
    data = saved(indices, photometric="palette", colormap=palette)
    assert agreement(data, np.asarray(image.convert("RGB"))) > 0.99


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_every_layout_is_turned_upright(kind: str, orientation: int) -> None:
    stored, _ = rotated(orientation)
    planes = np.moveaxis(as_type(np.asarray(stored), kind), -1, 0)
    tag = [(274, "H", 1, orientation, True)]
    data = saved(planes, photometric="rgb", planarconfig="separate", extratags=tag)
    decoded = decode(data)
    assert (decoded.width, decoded.height) == scene().size
    assert agreement(data, np.asarray(scene())) > 0.999


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_transparent_parts_are_blended(kind: str, alpha: str) -> None:
    mask = np.zeros(GRAY.shape, np.uint8)
    mask[:, :40] = 255
    expected = np.where(mask[..., None] > 0, RGB, 255)
    colors = RGB * (mask[..., None] > 0) if alpha == "assocalpha" else RGB
    values = as_type(np.dstack([colors, mask]), kind)
    assert agreement(saved(values, photometric="rgb", extrasamples=[alpha]), expected) > 0.99


def test_the_first_page_is_taken_in_every_layout() -> None:
    planes = np.moveaxis(as_type(RGB, "uint16"), -1, 0)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for page in (planes, planes[:, ::-1]):
            writer.write(page, photometric="rgb", planarconfig="separate")
    assert agreement(out.getvalue(), RGB) > 0.99


def test_a_color_space_that_is_not_known_is_refused() -> None:
    inks = np.dstack([CMYK, OPAQUE])
    data = saved(inks, photometric="separated", extratags=[(332, "H", 1, 2, True)])
    with pytest.raises(ImageError, match="color space"):
        decode(data)


def test_the_limit_on_pixels_holds_for_every_layout() -> None:
    with pytest.raises(ImageError, match="too many pixels: 80 x 60"):
        decode(saved(as_type(RGB, "float32"), photometric="rgb"), max_pixels=4799)


def test_without_imagecodecs_a_compression_is_refused_with_advice() -> None:
    values = saved(as_type(RGB, "float32"), photometric="rgb", compression="lzw")
    code = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from clipsearch.images.decode import decode\n"
        "decode(sys.stdin.buffer.read())"
    )
    run = subprocess.run([sys.executable, "-c", code], input=values, capture_output=True)
    assert b"MissingDecoderError: unsupported" in run.stderr
    assert b"clipsearch[tiff]" in run.stderr
