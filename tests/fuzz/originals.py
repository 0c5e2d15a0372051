"""Small image files of every format and of many of their variants, from which mutants are made."""

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.helpers.image_files import encoded
from tests.helpers.psd_files import layer_list, psd
from tests.helpers.raw_files import dng

SIZE = (120, 80)
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:CreateDate="2020-01-02T03:04:05"/>'
)

Draw = Callable[[], Iterator[bytes]]


def _scene() -> Image.Image:
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width]
    image = Image.fromarray(
        np.dstack([x * 255 // width, y * 255 // height, (x * y) % 256]).astype(np.uint8)
    )
    image.paste("red", (20, 10, 60, 50))
    return image


def _profile() -> bytes:
    profile: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 13.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    return exif


def _clear() -> Image.Image:
    image = _scene().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(SIZE))
    return image


def _frames() -> list[Image.Image]:
    return [_scene().rotate(angle) for angle in (0, 20, 40)]


def _jpeg() -> Iterator[bytes]:
    for options in ({}, {"progressive": True}, {"subsampling": 0, "restart_marker_rows": 1}):
        yield encoded(
            _scene(),
            "JPEG",
            exif=_exif(),
            icc_profile=_profile(),
            xmp=_XMP,
            comment=b"hello",
            **options,
        )
    yield encoded(_scene().convert("CMYK"), "JPEG")
    yield encoded(_scene().convert("L"), "JPEG", exif=_exif())
    yield encoded(_scene(), "MPO", save_all=True, append_images=_frames()[1:])


def _png() -> Iterator[bytes]:
    texts = PngInfo()
    texts.add_text("Creation Time", "2020-01-02T03:04:05")
    texts.add_text("Comment", "x" * 500, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", _XMP.decode(), zip=True)
    described = {"pnginfo": texts, "exif": _exif(), "icc_profile": _profile(), "dpi": (72, 72)}
    yield encoded(_scene(), "PNG", **described)
    yield encoded(_clear(), "PNG", **described)
    yield encoded(_scene().convert("P"), "PNG", transparency=3)
    yield encoded(_scene().convert("1"), "PNG")
    yield encoded(Image.fromarray(np.arange(9600, dtype=np.uint16).reshape(80, 120)), "PNG")
    yield encoded(_clear(), "PNG", save_all=True, append_images=_frames()[1:])


def _gif() -> Iterator[bytes]:
    first, *others = _frames()
    yield encoded(first, "GIF", comment=b"hello")
    yield encoded(first, "GIF", save_all=True, append_images=others, duration=20, loop=0)
    empty = Image.new("RGB", SIZE, "white")
    yield encoded(empty, "GIF", save_all=True, append_images=[empty, first])
    yield encoded(_clear(), "GIF")


def _webp() -> Iterator[bytes]:
    described = {"exif": _exif(), "icc_profile": _profile(), "xmp": _XMP}
    yield encoded(_scene(), "WEBP")
    yield encoded(_scene(), "WEBP", **described)
    yield encoded(_clear(), "WEBP", **described)
    yield encoded(_clear(), "WEBP", lossless=True)
    yield encoded(_scene(), "WEBP", save_all=True, append_images=_frames()[1:], **described)


def _bmp() -> Iterator[bytes]:
    for mode in ("RGB", "P", "1", "RGBA", "L"):
        yield encoded(_clear().convert(mode), "BMP")
    rows = b"".join(b"\x78" + bytes([row]) + b"\0\0" for row in range(80)) + b"\0\1"
    head = struct.pack(
        "<2sIHHIIiiHHIIiiII", b"BM", 0, 0, 0, 1078, 40, 120, 80, 1, 8, 1, 0, 0, 0, 0, 0
    )
    yield head + bytes(range(256)) * 4 + rows


def _tiff() -> Iterator[bytes]:
    image = _scene()
    for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield encoded(image, "TIFF", compression=kind, exif=_exif(), icc_profile=_profile())
    yield encoded(image.convert("1"), "TIFF", compression="group4")
    yield encoded(image.convert("CMYK"), "TIFF", compression="tiff_lzw")
    yield encoded(_clear(), "TIFF", save_all=True, append_images=_frames()[1:])
    rgb = np.asarray(image)
    deep = rgb.astype(np.uint16) * 257
    for samples, options in (
        (deep, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        (deep.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        (rgb, {"photometric": "rgb", "tile": (32, 32), "compression": "lzw", "bigtiff": True}),
        ((rgb / 255).astype(np.float32), {"photometric": "rgb"}),
        (deep[..., 0], {"photometric": "minisblack", "byteorder": ">"}),
        (np.dstack([deep, deep[..., 0]]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        (rgb, {"photometric": "rgb", "compression": "zstd"}),
        (rgb, {"photometric": "rgb", "compression": "webp"}),
        (rgb, {"photometric": "rgb", "compression": "jpeg2000"}),
        (rgb, {"photometric": "rgb", "compression": "jpegxl"}),
        (rgb[..., 0].astype(np.float32), {"photometric": "minisblack", "compression": "lerc"}),
        (deep[..., 0], {"photometric": "minisblack", "compression": "lzma"}),
    ):
        out = io.BytesIO()
        tifffile.imwrite(out, samples, **options)
        yield out.getvalue()


def _ppm() -> Iterator[bytes]:
    for mode in ("RGB", "L", "1"):
        yield encoded(_scene().convert(mode), "PPM")
    yield encoded(Image.fromarray(np.arange(9600, dtype=np.uint16).reshape(80, 120)), "PPM")
    yield b"P3\n# plain\n3 2\n255\n" + b"255 0 0  0 255 0  0 0 255\n" * 2
    yield b"PF\n120 80\n-1.0\n" + (np.asarray(_scene(), np.float32) / 255).tobytes()
    yield encoded(_scene().convert("F"), "PPM")


def _jpeg2000() -> Iterator[bytes]:
    yield encoded(_scene(), "JPEG2000")
    yield encoded(_clear(), "JPEG2000", irreversible=True, quality_layers=[20, 5])
    yield encoded(_scene().convert("L"), "JPEG2000", no_jp2=True, tile_size=(64, 64))


def _heif() -> Iterator[bytes]:
    yield encoded(_scene(), "HEIF", quality=60, exif=_exif().tobytes(), xmp=_XMP)
    yield encoded(_clear(), "HEIF", quality=60)
    yield encoded(_scene().convert("L"), "HEIF", quality=60)


def _avif() -> Iterator[bytes]:
    options = {"speed": 10, "quality": 60}
    yield encoded(_scene(), "AVIF", exif=_exif(), icc_profile=_profile(), xmp=_XMP, **options)
    yield encoded(_clear(), "AVIF", **options)
    yield encoded(_scene(), "AVIF", save_all=True, append_images=_frames()[1:], **options)


def _raw() -> Iterator[bytes]:
    image = _scene()
    yield dng(image, taken="2019:05:06 07:08:09")
    yield dng(image, orientation=6, order=">")
    yield dng(image, preview=image.resize((640, 520)))


def _jpegxl() -> Iterator[bytes]:
    import pylibjxl

    rgb = np.asarray(_scene())
    yield pylibjxl.encode(rgb, effort=3)
    yield pylibjxl.encode(rgb, effort=3, lossless=True, exif=_exif().tobytes(), icc=_profile())
    yield pylibjxl.encode(np.asarray(_clear()), effort=3, lossless=True)
    yield pylibjxl.jpeg_to_jxl(encoded(_scene(), "JPEG", exif=_exif()))


def _svg() -> Iterator[bytes]:
    drawing = b"""<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 80">
<defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1"/></linearGradient>
<filter id="b"><feGaussianBlur stdDeviation="3"/></filter></defs>
<rect width="50" height="40" fill="url(#g)" transform="rotate(20 30 30)"/><text y="70">hi</text>
<path d="M10 10 C 20 20 40 20 50 10 A 5 5 0 0 1 90 60 z" stroke="blue" stroke-dasharray="5,3"/>
<use href="#c" x="9"/><g filter="url(#b)" opacity=".5"><circle id="c" cx="60" cy="40" r="20"/></g>
<style>circle { fill: #0f0 }</style></svg>"""
    yield drawing
    yield gzip.compress(drawing, mtime=0)


def _psd() -> Iterator[bytes]:
    bands = [np.asarray(band) for band in _scene().split()]
    yield psd(bands, 3, packed=True, resources={1039: _profile(), 1060: _XMP})
    alpha = np.asarray(_clear().getchannel("A"))
    yield psd([*bands, alpha], 3, packed=True, large=True, layers=layer_list(-1, large=True))
    yield psd([band.astype(">u2") * 257 for band in bands], 3, depth=16)
    yield psd([(bands[0] / 255).astype(">f4")], 1, depth=32)
    yield psd(bands[:1], 2, palette=bytes(range(256)) * 3, resources={1047: b"\0\1"})


def _ico() -> Iterator[bytes]:
    for sizes in ([(16, 16), (32, 32)], [(64, 64)]):
        yield encoded(_clear(), "ICO", sizes=sizes, bitmap_format="bmp")
        yield encoded(_clear(), "ICO", sizes=sizes)
    cursor = bytearray(encoded(_clear(), "ICO", sizes=[(32, 32)], bitmap_format="bmp"))
    cursor[2] = 2
    yield bytes(cursor)


def _tga() -> Iterator[bytes]:
    for mode in ("RGB", "P", "L", "RGBA"):
        yield encoded(_clear().convert(mode), "TGA")
        yield encoded(_clear().convert(mode), "TGA", compression="tga_rle")


def _bombs(format_name: str) -> Iterator[bytes]:
    """Large images that compress well: a hundred times their size and more when decoded."""
    size = 3000, 2500
    color, clear = Image.new("RGB", size, "teal"), Image.new("RGBA", size, (9, 99, 200, 120))
    color.paste("white", (0, 0, 1500, 1250))
    gray = clear.convert("LA")
    match format_name:
        case "jpeg":
            yield encoded(color, "JPEG", progressive=True)
            yield encoded(color.resize((9000, 8000)), "JPEG")
        case "png":
            yield from (encoded(image, "PNG", compress_level=1) for image in (clear, gray))
            yield encoded(color.convert("P"), "PNG", transparency=0, compress_level=1)
        case "gif":
            yield encoded(clear, "GIF")
        case "webp":
            yield encoded(clear, "WEBP", lossless=True, method=0)
        case "tiff":
            yield encoded(clear, "TIFF", compression="tiff_lzw")
            yield encoded(color.resize((9000, 8000)), "TIFF", compression="packbits")
        case "jpeg2000":
            yield encoded(clear, "JPEG2000")
        case "heif" | "avif":
            yield encoded(clear, format_name.upper(), quality=30)
        case "jpegxl":
            import pylibjxl

            yield pylibjxl.encode(np.asarray(clear), effort=1)
        case "psd":
            bands = [np.zeros(size[::-1], np.uint8)] * 4
            yield psd(bands, 4, packed=True)
        case "tga":
            yield encoded(clear, "TGA", compression="tga_rle")
        case "ico":
            png = encoded(clear, "PNG", compress_level=1)
            yield struct.pack("<3H4BHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png


_DRAWN: dict[str, Draw] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
    "tiff": _tiff,
    "ppm": _ppm,
    "jpeg2000": _jpeg2000,
    "heif": _heif,
    "avif": _avif,
    "raw": _raw,
    "jpegxl": _jpegxl,
    "svg": _svg,
    "psd": _psd,
    "ico": _ico,
    "tga": _tga,
}

FORMATS = tuple(_DRAWN)


@cache
def originals(format_name: str) -> tuple[bytes, ...]:
    """Some intact files of a format."""
    return tuple(_DRAWN[format_name]())


@cache
def bombs(format_name: str) -> tuple[bytes, ...]:
    """Some intact files that need much memory; of BMP, PPM, SVG and raw there are none."""
    return tuple(_bombs(format_name))
