"""Preprocessing of images for converted models, with Pillow and numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from clipsearch.models.crop import CenterCrop
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

Resize = Literal["shortest", "longest", "squash", "keep"]
Levels = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize, crop the center or pad, and map each of the 256 levels to its value.

    `size` is the target of `resize` and `crop` the size of the result, both (height, width).
    `levels` has 256 values for each of red, green and blue: scaling, mean and standard deviation in
    one table, identical in all digits to the library's own arithmetic. `fill` is the level of
    padding. With `floor`, the offset of an odd crop is rounded down; else half pixels are rounded
    as in Python.
    """

    resize: Resize
    size: tuple[int, int]
    crop: tuple[int, int]
    interpolation: str
    levels: Levels
    fill: int = 0
    floor: bool = False

    @classmethod
    def from_open_clip(cls, config: Mapping[str, Any]) -> Self:
        """Build from a model's `preprocess_cfg`, equivalent to `open_clip.image_transform`."""
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        is_oblong = config["resize_mode"] == "shortest" and height != width
        return cls(
            resize=config["resize_mode"],
            size=(height, width),
            crop=(height, width),
            # open_clip ignores the filter if it keeps the aspect ratio for an oblong target.
            interpolation="bilinear"
            if config["interpolation"] == "bilinear" and not is_oblong
            else "bicubic",
            levels=_levels(mean=_triple(config["mean"]), std=_triple(config["std"])),
            fill=int(config.get("fill_color") or 0),
        )

    @classmethod
    def from_efficientnet(cls, config: Mapping[str, Any]) -> Self:
        """Build from the configuration of ALIGN's image processor in transformers."""
        from PIL.Image import Resampling

        size = (config["size"]["height"], config["size"]["width"])
        crop = (config["crop_size"]["height"], config["crop_size"]["width"])
        mean, std = _triple(config["image_mean"]), _triple(config["image_std"])
        ramp: Any = np.repeat(np.arange(256, dtype=np.float32)[None], 3, axis=0)
        if config["do_rescale"]:
            ramp = ramp * np.float32(config["rescale_factor"]) - np.float32(
                config["rescale_offset"]
            )
        if config["do_normalize"]:
            ramp = (ramp - mean) / std
        if config["include_top"]:
            ramp = ramp / std
        return cls(
            resize="squash" if config["do_resize"] else "keep",
            size=size,
            crop=crop if config["do_center_crop"] else size,
            interpolation=Resampling(config["resample"]).name.lower(),
            levels=ramp.tolist(),
            floor=True,
        )

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Build from the fields of `dataclasses.asdict`, read from JSON."""
        return cls(**{**saved, "size": tuple(saved["size"]), "crop": tuple(saved["crop"])})

    @property
    def center_crop(self) -> CenterCrop:
        """The part of an image that is kept; the whole one without resizing, as it then varies."""
        shares = (crop / size for crop, size in zip(self.crop, self.size, strict=True))
        share = 1.0 if self.resize == "keep" else min(1.0, *shares)
        return CenterCrop(square=self.resize == "shortest", share=share)

    def __call__(self, image: "Image") -> Pixels:
        """Convert an upright RGB image to (3, H, W) float32; thread-safe."""
        values = self.to_bytes(image)
        table = np.asarray(self.levels, dtype=np.float32)
        pixels: Vectors = np.empty((3, *self.crop), np.float32)
        for channel in range(3):
            np.take(table[channel], values[..., channel], out=pixels[channel], mode="clip")
        return pixels

    def to_bytes(self, image: "Image") -> NDArray[np.uint8]:
        """Resize and crop to (H, W, 3) uint8, before `levels` are applied; thread-safe."""
        from PIL.Image import Resampling

        rgb = image if image.mode == "RGB" else image.convert("RGB")
        size = self._target_size(*rgb.size)
        if size != rgb.size:
            rgb = rgb.resize(size, Resampling[self.interpolation.upper()])
        return self._crop_or_pad(np.asarray(rgb, dtype=np.uint8))

    def _target_size(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) that an image is resized to."""
        target_height, target_width = self.size
        if self.resize == "keep":
            return width, height
        if self.resize == "squash":
            return target_width, target_height
        if self.resize == "shortest" and target_height == target_width:
            # torchvision.transforms.Resize rounds the longer side down.
            if width <= height:
                return target_width, int(target_width * height / width)
            return int(target_height * width / height), target_height
        ratios = height / target_height, width / target_width
        ratio = min(ratios) if self.resize == "shortest" else max(ratios)
        return round(width / ratio), round(height / ratio)

    def _crop_or_pad(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The center of an (H, W, 3) array, padded if it is too small."""
        margins = []
        for length, target in zip(values.shape, self.crop, strict=False):
            missing = max(target - length, 0)
            margins.append((missing // 2, (missing + 1) // 2))
        if any(sum(margin) for margin in margins):
            values = np.pad(values, (*margins, (0, 0)), constant_values=self.fill)
        to_integer = int if self.floor else round
        top = to_integer((values.shape[0] - self.crop[0]) / 2)
        left = to_integer((values.shape[1] - self.crop[1]) / 2)
        return values[top : top + self.crop[0], left : left + self.crop[1]]


class PreprocessedInput:
    """The members of an Encoder that follow from its `preprocessing`."""

    preprocessing: Preprocessing

    @property
    def input_size(self) -> int:
        """Pixels of the longer side that an image is resized to."""
        return max(self.preprocessing.size)

    @property
    def center_crop(self) -> CenterCrop:
        """The part of an image that preprocessing keeps."""
        return self.preprocessing.center_crop

    def preprocess(self, image: "Image") -> Pixels:
        """Convert an upright RGB image to (3, H, W) float32, as the image tower takes it."""
        return self.preprocessing(image)


def describe_preprocessing(config: Mapping[str, Any], *, quick_gelu: bool) -> str:
    """One line on everything of an open_clip model that determines the vectors besides the weights.

    Collections store it and compare it: a changed wording would make them unusable.
    """
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mean, std = (", ".join(f"{x:.6g}" for x in config[key]) for key in ("mean", "std"))
    resize = {
        "shortest": "shortest side, centre crop",
        "longest": f"longest side, padded with {config['fill_color']}",
        "squash": "squashed",
    }[config["resize_mode"]]
    line = f"{width}x{height} px, {resize}, {config['interpolation']}, mean ({mean}), std ({std})"
    return f"{line}, QuickGELU" if quick_gelu else line


def _levels(*, mean: Pixels, std: Pixels) -> Levels:
    """(3, 256): (x / 255 - mean) / std in float32, in torchvision's order of operations."""
    ramp = np.arange(256, dtype=np.float32) / np.float32(255)
    levels: Levels = ((ramp - mean) / std).tolist()
    return levels


def _triple(value: float | Sequence[float]) -> Pixels:
    """(3, 1) float32; a single number is used for every channel."""
    row = np.broadcast_to(np.asarray(value, dtype=np.float32), (3,))
    return row[:, None]
