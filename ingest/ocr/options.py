"""ReadOptions: which images to read."""

from dataclasses import dataclass

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.images.decode import MAX_PIXELS

MIN_TEXTNESS = 0.005
"""Images with less textness are skipped: one photograph in six.

With `pocket`, that loses none of the words of 12 to 48 pixels in photographs of 1024, 4 % if they
are turned by 90°, and none of signs, pages and receipts. At 0.02 half of the photographs would be
skipped, and 8 and 25 % lost (`python -m benchmarks.ocr --cuts`)."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which images to read.

    `min_textness` (0..1) is that of images that are read, 0 for all images. `again` also reads
    images that another reader has read. `limit` is the most images to read now, those with the most
    textness. Images with more pixels than `max_pixels` fail. Raises UsageError on values of other
    types.
    """

    min_textness: float = MIN_TEXTNESS
    again: bool = False
    limit: int | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        share = arguments.share("minimum textness", self.min_textness)
        object.__setattr__(self, "min_textness", share)
        object.__setattr__(self, "again", arguments.flag("again", self.again))
        if self.limit is not None and arguments.integer("limit", self.limit) < 1:
            raise UsageError(f"the limit must be at least 1, not {self.limit}")
        if arguments.integer("limit of pixels", self.max_pixels) < 1:
            raise UsageError(f"the limit of pixels must be at least 1, not {self.max_pixels}")
