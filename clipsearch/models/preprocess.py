"""What happens to a picture before a model sees it, with Pillow and numpy alone."""

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
    """Resize, crop to the centre or pad, and give each of the 256 levels its value.

    `size` is what `resize` aims at and `crop` what comes out, both (height, width). `levels` are 256
    values for each of red, green and blue: scaling, mean and standard deviation in one table, with
    the very digits of the library's own arithmetic. `fill` is the level of a margin; with `floor` an
    odd rest is cut off below and right, else the half pixel is rounded as Python does.
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
        """From a model's `preprocess_cfg`, for what `open_clip.image_transform` makes of it."""
        wanted = config["size"]
        height, width = (wanted, wanted) if isinstance(wanted, int) else wanted
        oblong = config["resize_mode"] == "shortest" and height != width
        return cls(
            resize=config["resize_mode"],
            size=(height, width),
            crop=(height, width),
            # The library forgets the filter where it keeps the proportions of an oblong target.
            interpolation="bilinear"
            if config["interpolation"] == "bilinear" and not oblong
            else "bicubic",
            levels=_levels(mean=_triple(config["mean"]), std=_triple(config["std"])),
            fill=int(config.get("fill_color") or 0),
        )

    @classmethod
    def from_efficientnet(cls, config: Mapping[str, Any]) -> Self:
        """From the configuration of ALIGN's image processor, in transformers."""
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
        """The reverse of `dataclasses.asdict` through JSON."""
        return cls(**{**saved, "size": tuple(saved["size"]), "crop": tuple(saved["crop"])})

    @property
    def center_crop(self) -> CenterCrop:
        """What is left of a picture; of one that is not resized that depends on it, so all counts."""
        shares = (crop / size for crop, size in zip(self.crop, self.size, strict=True))
        share = 1.0 if self.resize == "keep" else min(1.0, *shares)
        return CenterCrop(square=self.resize == "shortest", share=share)

    def __call__(self, image: "Image") -> Pixels:
        """An upright RGB picture as (3, H, W) float32; safe in threads."""
        from PIL.Image import Resampling

        picture = image if image.mode == "RGB" else image.convert("RGB")
        size = self._resized(*picture.size)
        if size != picture.size:
            picture = picture.resize(size, Resampling[self.interpolation.upper()])
        values = self._centre(np.asarray(picture, dtype=np.uint8))
        table = np.asarray(self.levels, dtype=np.float32)
        pixels: Vectors = np.empty((3, *self.crop), np.float32)
        for channel in range(3):
            np.take(table[channel], values[..., channel], out=pixels[channel], mode="clip")
        return pixels

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) that a picture is resized to."""
        target_height, target_width = self.size
        if self.resize == "keep":
            return width, height
        if self.resize == "squash":
            return target_width, target_height
        if self.resize == "shortest" and target_height == target_width:
            # torchvision.transforms.Resize cuts the longer side's fraction off, not the nearest.
            if width <= height:
                return target_width, int(target_width * height / width)
            return int(target_height * width / height), target_height
        ratios = height / target_height, width / target_width
        ratio = min(ratios) if self.resize == "shortest" else max(ratios)
        return round(width / ratio), round(height / ratio)

    def _centre(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The middle of an (H, W, 3) array, with a margin where that has less."""
        margins = []
        for have, want in zip(values.shape, self.crop, strict=False):
            missing = max(want - have, 0)
            margins.append((missing // 2, (missing + 1) // 2))
        if any(sum(margin) for margin in margins):
            values = np.pad(values, (*margins, (0, 0)), constant_values=self.fill)
        whole = int if self.floor else round
        top = whole((values.shape[0] - self.crop[0]) / 2)
        left = whole((values.shape[1] - self.crop[1]) / 2)
        return values[top : top + self.crop[0], left : left + self.crop[1]]


def _levels(*, mean: Pixels, std: Pixels) -> Levels:
    """(3, 256): x / 255, minus the mean, by the deviation; in float32, in torchvision's order."""
    ramp = np.arange(256, dtype=np.float32) / np.float32(255)
    levels: Levels = ((ramp - mean) / std).tolist()
    return levels


def _triple(value: float | Sequence[float]) -> Pixels:
    """(3, 1) float32; a single number counts for every channel."""
    row = np.broadcast_to(np.asarray(value, dtype=np.float32), (3,))
    return row[:, None]
