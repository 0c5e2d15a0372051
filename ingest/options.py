"""IngestOptions: how to ingest."""

from dataclasses import dataclass

from clipsearch.images.decode import MAX_PIXELS


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    `prune` removes the rows of files that no longer exist in the given folders, `force` even if
    most are missing. Images with more pixels than `max_pixels` are rejected before decoding.
    `rehash` compares the content of files even if their size and mtime are those of their rows, and
    reads files again that failed before.
    """

    prune: bool = False
    force: bool = False
    max_pixels: int = MAX_PIXELS
    rehash: bool = False
