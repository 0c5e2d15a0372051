"""IngestOptions: how to ingest."""

from dataclasses import dataclass

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.images.decode import MAX_PIXELS


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    `prune` removes the rows of files that no longer exist in the given folders, `force` even if
    most are missing. Images with more pixels than `max_pixels` are rejected before decoding.
    `rehash` compares the content of files even if their size and mtime are those of their rows, and
    reads files again that failed before. Raises UsageError on values of other types.
    """

    prune: bool = False
    force: bool = False
    max_pixels: int = MAX_PIXELS
    rehash: bool = False

    def __post_init__(self) -> None:
        for name in ("prune", "force", "rehash"):
            object.__setattr__(self, name, arguments.flag(name, getattr(self, name)))
        max_pixels = arguments.integer("limit of pixels", self.max_pixels)
        if max_pixels < 1:
            raise UsageError(f"the limit of pixels must be at least 1, not {max_pixels}")
        object.__setattr__(self, "max_pixels", max_pixels)
