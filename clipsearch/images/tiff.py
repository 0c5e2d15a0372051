"""TIFF: Pillow where its pixels are known to be right, otherwise tifffile.

Pillow gives wrong pixels for some layouts without an error. tifffile is pure Python; with the
optional package imagecodecs it reads every compression.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np
from PIL import Image, ImageMode
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from clipsearch.errors import ImageError, MissingDecoderError
from clipsearch.images.color import to_srgb
from clipsearch.images.samples import Bytes, Samples, color_to_bytes, gray_to_bytes

# Tags (TIFF 6.0).
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOR_SPACE = 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _INK_SET, _EXTRA, _SAMPLE_FORMAT = 277, 284, 332, 338, 339
_COLOR_MAP, _ICC_PROFILE = 320, 34675

_MIN_IS_WHITE, _GRAY, _RGB, _PALETTE, _CMYK, _YCBCR, _CIE_LAB, _ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLORS = {_RGB: 3, _CMYK: 4, _YCBCR: 3, _CIE_LAB: 3, _ICC_LAB: 3}  # other kinds have one sample
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PREMULTIPLIED, _ALPHA = 1, 2

_UNCOMPRESSED = 1
_LIBTIFF = {2, 3, 4, 5, 6, 7, 8, 32773, 32809, 32946, 34925, 50000}
"""Compressions that Pillow's libtiff decodes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the first image of a file stores its samples; `extra` says what further ones mean."""

    color_space: int
    bits: tuple[int, ...]
    sample_format: int
    samples: int
    extra: tuple[int, ...]
    is_planar: bool
    compression: int

    @classmethod
    def from_tags(cls, tags: Mapping[int, Any]) -> Self:
        formats = set(_numbers(tags.get(_SAMPLE_FORMAT, _UNSIGNED)))
        samples = int(tags.get(_SAMPLES, 1))
        return cls(
            color_space=int(tags.get(_COLOR_SPACE, _MIN_IS_WHITE)),
            bits=_numbers(tags.get(_BITS, 1)),
            sample_format=formats.pop() if len(formats) == 1 else 0,
            samples=samples,
            extra=_numbers(tags.get(_EXTRA, ())),
            is_planar=tags.get(_PLANAR) == 2 and samples > 1,
            compression=int(tags.get(_COMPRESSION, _UNCOMPRESSED)),
        )

    @property
    def colors(self) -> int:
        """The number of samples of a pixel that make its color."""
        return _COLORS.get(self.color_space, 1)

    def is_right_in_pillow(self) -> bool:
        """Whether tests have shown that Pillow reads this layout as it is meant."""
        if self.compression != _UNCOMPRESSED and self.compression not in _LIBTIFF:
            return False
        bits = max(self.bits)
        if self.sample_format != _UNSIGNED or bits > 16:
            kinds = {(_SIGNED, 16), (_SIGNED, 32), (_FLOAT, 32)}
            plain = self.color_space == _GRAY and self.samples == 1
            return plain and (self.sample_format, bits) in kinds
        if self.is_planar:
            decoded_whole = bits == 8 or self.compression != _UNCOMPRESSED
            return self.color_space in (_RGB, _CMYK) and not self.extra and decoded_whole
        if bits < 8 or bits == 12:
            return self.samples == 1 and (bits < 8 or self.color_space == _GRAY)
        if bits == 8:
            more = self.color_space == _CMYK and self.samples > self.colors
            return self.color_space != _ICC_LAB and not more
        if self.color_space == _GRAY:
            return self.samples == 1 and bits == 16
        return self.color_space in (_RGB, _CMYK) and self.samples <= 4 and bits == 16


def open_tiff(stream: BinaryIO) -> ImageFile:
    """Open a TIFF file with the decoder that is right for its layout.

    Raises what Pillow raises on a damaged file.
    """
    tags = _read_tags(stream)
    stream.seek(0)
    if Layout.from_tags(tags).is_right_in_pillow():
        return _PillowTiff(stream)
    return _SampledTiff(stream)


_NATIVE_ORDER = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


class _PillowTiff(TiffImageFile):
    def _open(self) -> None:
        super()._open()
        # libtiff gives samples in the machine's byte order, whatever the file's is.
        for at, tile in enumerate(self.tile):
            if tile.codec_name == "libtiff" and isinstance(tile.args, tuple):
                mode, *others = tile.args
                args = (_NATIVE_ORDER.get(mode, mode), *others)
                self.tile[at] = tile._replace(args=args)

    def load_prepare(self) -> None:
        # Pillow checks its own size limit only when it allocates the memory itself. The private
        # `_tile_size` is the size before a rotation by EXIF; a test guards it.
        self.im = Image.new(self.mode, getattr(self, "_tile_size", self.size)).im
        super().load_prepare()


class _SampledTiff(TiffImageFile):
    """The first image of a file, decoded by tifffile; Pillow reads its Exif."""

    def _open(self) -> None:
        assert self.fp is not None
        self.tag_v2 = _read_tags(self.fp)
        self._size = int(self.tag_v2[_WIDTH]), int(self.tag_v2[_HEIGHT])
        self._mode = "RGB"
        if isinstance(profile := self.tag_v2.get(_ICC_PROFILE), bytes):
            self.info["icc_profile"] = profile

    @property
    def bytes_per_pixel(self) -> int:
        """What decoding takes: encoded and decoded samples, then both images."""
        layout = Layout.from_tags(self.tag_v2)
        return 2 * layout.samples * -(-max(layout.bits) // 8) + 9

    def load(self) -> Any:
        if self._im is None:
            layout = Layout.from_tags(self.tag_v2)
            values = self._read_samples()
            if values.shape[:2] != self.size[::-1]:
                raise ImageError("unsupported: a TIFF with several images in one")
            image = _to_image(values, layout, self.tag_v2, self.info)
            self._mode, self.im = image.mode, image.im
        return Image.Image.load(self)

    def _read_samples(self) -> Samples:
        """Return the samples as (height, width, samples)."""
        import tifffile  # late: few files need it

        assert self.fp is not None
        self.fp.seek(0)
        try:
            with tifffile.TiffFile(self.fp) as file:
                page = file.pages[0]
                values = np.asarray(page.asarray(maxworkers=1)).reshape(page.shaped)
        except (ValueError, NotImplementedError, RuntimeError) as error:
            if "imagecodecs" in str(error):
                raise MissingDecoderError(
                    "unsupported: this TIFF's compression needs another package: "
                    "pip install 'clipsearch[tiff]'"
                ) from error
            raise
        separate, depth, *_ = values.shape
        if depth != 1:
            raise ImageError("unsupported: a TIFF volume")
        return np.moveaxis(values[:, 0, ..., 0], 0, -1) if separate > 1 else values[0, 0]


def _read_tags(stream: Any) -> ImageFileDirectory_v2:
    """Read the tags of the first image."""
    stream.seek(0)
    head = stream.read(8)
    if head[:4] == b"MM\0\x2b":
        raise ImageError("unsupported: a BigTIFF in big-endian order")
    if head[2] == 43:
        head += stream.read(8)
    tags = ImageFileDirectory_v2(head)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _to_image(
    values: Samples, layout: Layout, tags: Mapping[int, Any], info: dict[str | tuple[int, int], Any]
) -> Image.Image:
    """Return samples (height, width, samples) as an image; `info` loses a profile that was used."""
    kind, colors = layout.color_space, layout.colors
    known = {_MIN_IS_WHITE, _GRAY, _PALETTE, *_COLORS}
    if kind not in known or values.shape[2] < colors or tags.get(_INK_SET, 1) != 1:
        raise ImageError(f"unsupported: a TIFF with color space {kind}")
    color = values[..., :colors]
    if kind == _PALETTE:
        image = _apply_palette(color[..., 0], tags)
    elif kind in (_MIN_IS_WHITE, _GRAY):
        if layout.sample_format == _UNSIGNED and max(layout.bits) not in (16, 32, 64):
            gray = color_to_bytes(color[..., 0], max(layout.bits))
        else:
            gray = gray_to_bytes(color[..., 0], full_range=kind == _MIN_IS_WHITE)
        image = Image.fromarray(gray if kind == _GRAY else 255 - gray)
    elif kind in (_CIE_LAB, _ICC_LAB):
        image = _lab(color, is_icc=kind == _ICC_LAB)
    else:
        mode = {_RGB: "RGB", _CMYK: "CMYK", _YCBCR: "YCbCr"}[kind]
        if kind == _YCBCR and layout.compression in (6, 7):
            mode = "RGB"  # the JPEG decoder has converted it
        image = _merge(mode, color_to_bytes(color, max(layout.bits)))
    alphas = [at for at, use in enumerate(layout.extra) if use in (_PREMULTIPLIED, _ALPHA)]
    if not alphas or values.dtype.kind == "i" or colors + alphas[0] >= values.shape[2]:
        return image
    if image.mode not in ("L", "RGB"):
        image.info["icc_profile"] = info.pop("icc_profile", None)
        image = to_srgb(image)
    alpha = color_to_bytes(values[..., colors + alphas[0]], max(layout.bits))
    premultiplied = layout.extra[alphas[0]] == _PREMULTIPLIED
    bands = [*image.split(), Image.fromarray(alpha)]
    mode = "La" if image.mode == "L" else "RGBa"
    if premultiplied:
        return Image.merge(mode, bands).convert(mode.upper())
    return Image.merge(mode.upper(), bands)


def _merge(mode: str, values: Bytes) -> Image.Image:
    """Return (height, width, n) uint8 as an image of a mode with n bands."""
    count = len(ImageMode.getmode(mode).bands)
    bands = [Image.fromarray(np.ascontiguousarray(values[..., at])) for at in range(count)]
    return Image.merge(mode, bands)


def _apply_palette(indices: Samples, tags: Mapping[int, Any]) -> Image.Image:
    palette = np.array(tags[_COLOR_MAP], np.int64).reshape(3, -1)
    if palette.max() > 255:
        palette //= 257
    return Image.fromarray(palette.T.astype(np.uint8)[np.minimum(indices, palette.shape[1] - 1)])


def _lab(values: Samples, *, is_icc: bool) -> Image.Image:
    """Return L*a*b* of 8 or 16 unsigned bits; CIE a* and b* are signed, ICC's are moved by half."""
    if values.dtype.kind != "u" or values.itemsize > 2:
        raise ImageError("unsupported: a TIFF in L*a*b* that has not 8 or 16 bits")
    high = (values >> (8 * (values.itemsize - 1))).astype(np.uint8)
    if not is_icc:
        high[..., 1:] ^= 0x80
    return _merge("LAB", high)


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (int(value),)
