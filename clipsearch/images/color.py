"""Convert pixels of any mode, depth and color space to 8-bit sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from clipsearch.images.samples import gray_to_bytes
from clipsearch.images.transparency import blend, choose_ground

# In these formats 65535 is white, by specification or by Pillow. In others, such as TIFF,
# instruments store 10, 12 or 14 bits in 16 without scaling.
_FULL_RANGE = ("PNG", "PPM", "JPEG2000")


def to_srgb(opened: Image.Image) -> Image.Image:
    """Convert a loaded image of any mode to mode RGB in sRGB, on a ground that contrasts with it.

    Converts depth, then transparency, then color. May return the given image itself. Raises what
    Pillow raises, for example on a damaged palette.
    """
    icc = opened.info.get("icc_profile")
    image = opened
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_eight_bits(image)
    elif image.has_transparency_data:
        image = blend(image)
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    conversion = _transform(icc if isinstance(icc, bytes) else b"", image.mode)
    if conversion is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    mode, transform = conversion
    try:
        return transform.apply(image if image.mode == mode else image.convert(mode))
    except (OSError, ValueError, ImageCms.PyCMSError):  # a profile that is broken in part
        return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale one channel of 16 or 32 bits, or float, to mode L; Pillow would clip it to 255."""
    values = np.asarray(image)
    gray = gray_to_bytes(values, full_range=image.format in _FULL_RANGE)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        hidden = values == transparent
        gray[hidden] = choose_ground(np.bincount(gray[~hidden], minlength=256).astype(float))
    return Image.fromarray(gray)


@lru_cache(maxsize=16)  # cameras embed the same few profiles in every image
def _transform(icc: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Return the mode to convert pixels of `mode` to, and the transform from there to sRGB.

    Returns None if no transform is needed: without a profile, for a broken one, for one of another
    color space than the pixels, and for one that changes nothing visible, such as sRGB itself.
    """
    try:
        if mode == "LAB":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
            source_mode = mode
        else:
            if not icc:
                return None
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            kinds = {"RGB": ("RGB", "L"), "GRAY": ("L",), "CMYK": ("CMYK",)}
            space = profile.profile.xcolor_space.strip()
            if mode not in kinds.get(space, ()):
                return None
            source_mode = "L" if space == "GRAY" else space
        transform = ImageCms.ImageCmsTransform(
            profile,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            source_mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
            flags=ImageCms.Flags.NOCACHE,  # its one-pixel cache is not thread-safe
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    if source_mode in ("RGB", "L"):
        ramp = np.indices((6, 6, 6)).reshape(3, 1, -1).transpose(1, 2, 0).astype(np.uint8) * 51
        sample = Image.fromarray(ramp).convert(source_mode)
        converted = np.asarray(transform.apply(sample), np.int16)
        if np.abs(converted - np.asarray(sample.convert("RGB"), np.int16)).max() <= 2:
            return None
    return source_mode, transform
