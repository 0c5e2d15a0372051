"""Search hits for tests."""

from datetime import datetime
from pathlib import Path

from clipsearch.records import Hit, ImageRecord


def make_hit(
    path: Path | str, score: float = 0.3, z: float | None = None, taken: datetime | None = None
) -> Hit:
    """A hit for a JPEG file of 640 x 480 pixels."""
    return Hit(ImageRecord("1f", Path(path), "c0", 1234, 0, 640, 480, "jpeg", taken), score, z)
