"""MetadataReader: what the images of a source have of metadata, and where it was cut."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from clipsearch.locations.source_fields import FieldSelection
from clipsearch.records import Metadata


class MetadataReader:
    """Chooses the metadata of images, and counts those that have some, and where it was cut."""

    def __init__(self, selection: FieldSelection) -> None:
        self.selection = selection
        self.images = 0
        """The images with metadata."""
        self.cut = 0
        """Those whose metadata is not complete."""
        self.first_cut: Path | None = None
        """The location of the first of them."""

    def read(self, location: Path, values: Mapping[str, Any]) -> Metadata:
        """Return what to store of what a source says about the image at a location."""
        metadata, is_cut = self.selection.choose(values)
        self.images += bool(metadata)
        self.cut += is_cut
        if is_cut and self.first_cut is None:
            self.first_cut = location
        return metadata

    def merge(self, other: Self) -> None:
        """Add the counts of another one."""
        self.images += other.images
        self.cut += other.cut
        self.first_cut = self.first_cut or other.first_cut
