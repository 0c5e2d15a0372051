"""CenterCrop: the part of an image that preprocessing keeps."""

from dataclasses import dataclass

Box = tuple[int, int, int, int]  # left, upper, right, lower, as Pillow has it


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """The center of an image that `Encoder.preprocess` keeps.

    With `square`, the longer side is first cut to the length of the shorter one. `share`, above 0
    and at most 1, is the share of each side that is then left.
    """

    square: bool = False
    share: float = 1.0

    def box(self, width: int, height: int) -> Box:
        """The crop in pixels of an image of this size."""
        shorter = min(width, height)
        sides = (shorter, shorter) if self.square else (width, height)
        crop_width, crop_height = (max(1, int(self.share * side)) for side in sides)
        left, upper = (width - crop_width) // 2, (height - crop_height) // 2
        return left, upper, left + crop_width, upper + crop_height
