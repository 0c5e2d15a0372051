"""The images of a tar archive, each with what the files beside it say."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsearch.files.discover import ImageFile
from clipsearch.files.skipped import SkippedFiles
from clipsearch.files.walk import os_failure
from clipsearch.images.formats import SUFFIXES
from clipsearch.images.optional import missing_decoders
from clipsearch.locations.content import Origin
from clipsearch.locations.tar_archive import Member, read_members
from clipsearch.types import Failure
from ingest.sources.metadata_reader import MetadataReader

SIDECARS = {".json": "", ".txt": "caption", ".cls": "cls"}
"""Files that describe the images of their sample, and the name of their only field."""

SIDECAR_BYTES = 1 << 20
"""Larger ones are ignored."""

SAMPLE_IMAGES = 32
"""Images that wait for a description at most."""


@dataclass(slots=True)
class _Sample:
    """Members with the same name before its first dot, one after another, as in WebDataset."""

    key: str
    images: list[tuple[Member, Origin]] = field(default_factory=list)
    sidecars: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def describe(self, name: str) -> dict[str, Any]:
        """Merge what is said about an image; the JSON comes last."""
        values: dict[str, Any] = {}
        for stem, fields in sorted(self.sidecars, key=lambda item: len(item[1])):
            if name.startswith(f"{stem}."):
                values |= fields
        return values


def tar_images(
    archive: Path, mtime_ns: int, reader: MetadataReader, skipped: SkippedFiles
) -> Iterator[ImageFile | Failure]:
    """Yield the images of a tar archive in order, in one pass; count other files in `skipped`.

    A member that is an image has the location ARCHIVE/NAME. Damage ends the archive with a Failure.
    """
    try:
        for sample in _samples(archive, skipped):
            for member, origin in sample.images:
                path = archive / member.name
                values = sample.describe(member.name)
                metadata = reader.read(path, values) if values else {}
                yield ImageFile(path, member.size, mtime_ns, origin, metadata)
    except OSError as error:
        yield os_failure(archive, error)


def _samples(archive: Path, skipped: SkippedFiles) -> Iterator[_Sample]:
    readable = SUFFIXES - missing_decoders().keys()
    sample = _Sample("")
    try:
        for member in read_members(archive):
            folder, _, name = member.name.rpartition("/")
            key = f"{folder}/{name.partition('.')[0]}"
            if key != sample.key or len(sample.images) >= SAMPLE_IMAGES:
                yield sample
                sample = _Sample(key)
            stem, dot, suffix = name.rpartition(".")
            suffix = f"{dot}{suffix}".lower() if stem else ""
            if suffix in readable:
                sample.images.append((member, member.read()))
            elif suffix in SIDECARS and member.size <= SIDECAR_BYTES:
                if values := _parse(suffix, member.read().read().read()):
                    sample.sidecars.append((member.name[: -len(suffix)], values))
            else:
                skipped.add(suffix)
    except OSError:
        yield sample  # what precedes the damage
        raise
    yield sample


def _parse(suffix: str, data: bytes) -> Mapping[str, Any]:
    """Return the fields of a description; none if it cannot be read."""
    text = data.decode("utf-8-sig", "replace")
    if suffix == ".json":
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}
    text = text.strip()
    is_class = suffix == ".cls" and text.isascii() and text.isdigit()
    return {SIDECARS[suffix]: int(text) if is_class else text} if text else {}
