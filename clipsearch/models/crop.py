"""The part of a picture that a model sees."""

from dataclasses import dataclass

Box = tuple[int, int, int, int]  # left, upper, right, lower, as Pillow has it


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """What `preprocess` leaves of a picture: its middle.

    `square`: only as much of the longer side as the shorter one has. `share`, above 0 and at most 1,
    is how much is left of each side then.
    """

    square: bool = False
    share: float = 1.0

    def box(self, width: int, height: int) -> Box:
        """Where that is, in pixels of a picture of this size."""
        shorter = min(width, height)
        sides = (shorter, shorter) if self.square else (width, height)
        seen_width, seen_height = (max(1, int(self.share * side)) for side in sides)
        left, upper = (width - seen_width) // 2, (height - seen_height) // 2
        return left, upper, left + seen_width, upper + seen_height
