"""ReadOptions: which images to read."""

from dataclasses import dataclass

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.images.decode import MAX_PIXELS

MIN_TEXTNESS = 0.002
"""Images with less textness are skipped; so low that hardly any word is lost.

Small words turned by 90° hardly raise the textness of `pocket`. Of those of 12 to 48 pixels in
photographs of 1024, 4 % are below 0.002, 8 % below 0.005 and 21 % below 0.02; if they are upright,
0, 4 and 11 %; of signs, pages and receipts 0, 0 and at most 4 %. Below 0.02 lie 29 % of the
photographs without text, each of which takes 0.1 s (`python -m benchmarks.ocr --cuts`)."""


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
