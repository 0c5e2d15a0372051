"""Pixels of any mode, depth and colour space to 8-bit sRGB: depth, then transparency, then colour."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# In these 65535 is white, by the format or by Pillow. Elsewhere, as in TIFF, instruments of 10, 12
# or 14 bits write their values into 16 as they are.
_FULL_RANGE = ("PNG", "PPM", "JPEG2000")


def to_srgb(opened: Image.Image) -> Image.Image:
    """Bring a loaded picture of any mode to mode RGB in sRGB, transparent parts white.

    May return the very picture that it was given. Raises what Pillow raises on damaged palettes and
    the like.
    """
    icc = opened.info.get("icc_profile")
    image = opened
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    elif image.has_transparency_data:
        image = _on_white(image)
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    conversion = _transform(icc if isinstance(icc, bytes) else b"", image.mode)
    if conversion is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    mode, transform = conversion
    return transform.apply(image if image.mode == mode else image.convert(mode))


def _eight_bits(image: Image.Image) -> Image.Image:
    """One deep channel (16 or 32 bits, or float) to L; Pillow alone would clip it to 255."""
    values = np.asarray(image)
    finite = values[np.isfinite(values)] if image.mode == "F" else values
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if image.mode != "F" and low >= 0 and high <= 65535:
        bits = 16
        if image.format not in _FULL_RANGE:
            bits = next(bits for bits in (8, 10, 12, 14, 16) if high < 1 << bits)
        grey = (values >> (bits - 8)).astype(np.uint8)
    else:
        if image.mode == "F" and low >= 0 and high <= 255:
            low, high = 0.0, 1.0 if high <= 1 else 255.0
        with np.errstate(all="ignore"):
            scaled = (values.astype(np.float64) - low) * (255 / ((high - low) or 1))
        scaled = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0)
        grey = (np.clip(scaled, 0, 255) + 0.5).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey)


def _on_white(image: Image.Image) -> Image.Image:
    base = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    image = image.convert("LA" if base == "L" else "RGBA")
    canvas = Image.new(base, image.size, "white")
    canvas.paste(image.convert(base), mask=image.getchannel("A"))
    return canvas


@lru_cache(maxsize=16)  # cameras embed the same few profiles in every photo
def _transform(icc: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode to bring pixels of `mode` to and the transform from there to sRGB, if one is needed.

    None without a profile, for a broken one, for one of another kind than the pixels, and for one
    that changes nothing visible, as sRGB itself.
    """
    try:
        if mode == "LAB":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
            fitting = mode
        else:
            if not icc:
                return None
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            kinds = {"RGB": ("RGB", "L"), "GRAY": ("L",), "CMYK": ("CMYK",)}
            space = profile.profile.xcolor_space.strip()
            if mode not in kinds.get(space, ()):
                return None
            fitting = "L" if space == "GRAY" else space
        transform = ImageCms.ImageCmsTransform(
            profile,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            fitting,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
            flags=ImageCms.Flags.NOCACHE,  # its one-pixel cache is not meant for many threads
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    if fitting in ("RGB", "L"):
        ramp = np.indices((6, 6, 6)).reshape(3, 1, -1).transpose(1, 2, 0).astype(np.uint8) * 51
        probe = Image.fromarray(ramp).convert(fitting)
        got = np.asarray(transform.apply(probe), np.int16)
        if np.abs(got - np.asarray(probe.convert("RGB"), np.int16)).max() <= 2:
            return None
    return fitting, transform
