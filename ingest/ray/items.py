"""What flows from stage to stage, one item in each row of a Ray dataset."""

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

from clipsearch.files.load import HashedFile, LoadedImage
from clipsearch.files.skipped import SkippedFiles
from clipsearch.store.archive_ledger import ArchiveState
from clipsearch.types import Failure, ImageRow
from ingest.report import Outcome, StageTime, Tally
from ingest.sources.metadata_reader import MetadataReader
from ingest.sources.source import Source, Sources

COLUMN = "item"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Files of one content, and the image in them, which has no vector yet."""

    files: tuple[HashedFile, ...]
    image: LoadedImage


@dataclass(frozen=True, slots=True)
class Embedded:
    """Files of one content, and a row with that content: the new row of the first file if `is_new`,
    else one that the collection has.
    """

    files: tuple[HashedFile, ...]
    row: ImageRow
    is_new: bool = True
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source knows after it was read, besides its images."""

    skipped: SkippedFiles
    complete: Mapping[Path, ArchiveState] = field(default_factory=dict)
    present: Mapping[Path, set[str]] = field(default_factory=dict)
    metadata: MetadataReader | None = None

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return it for a source that was just read."""
        if not isinstance(source, Sources):
            return cls(source.skipped)
        return cls(source.skipped, source.complete, source.present, source.metadata)

    def add_to(self, source: Source) -> None:
        """Add it to the source of which this was a part."""
        source.skipped.merge(self.skipped)
        if isinstance(source, Sources):
            source.complete.update(self.complete)
            source.present.update(self.present)
            if self.metadata is not None:
                source.metadata.merge(self.metadata)


@dataclass(slots=True)
class Note:
    """What a stage counted besides the images that it passes on."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    stages: dict[str, StageTime] = field(default_factory=dict)
    listing: Listing | None = None


Item: TypeAlias = Loaded | Embedded | Failure | Note | Tally
"""`Tally` is what the last stage wrote; the others flow between the stages."""


def without_content(files: Iterable[HashedFile]) -> tuple[HashedFile, ...]:
    """Return files that are decoded, without the bytes of archives, which take long to send."""
    return tuple(
        replace(file, content=None, file=replace(file.file, origin=None)) for file in files
    )


def pack(items: Iterable[Any]) -> Any:
    """Return items as a table of pyarrow, each pickled: Ray must not guess their types."""
    import pyarrow as pa

    data = [pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL) for item in items]
    return pa.table({COLUMN: pa.array(data, type=pa.large_binary())})


def unpack(table: Any) -> Iterator[Any]:
    """Yield the items of a table. Only our own workers write these tables."""
    for value in table[COLUMN]:
        yield pickle.loads(value.as_buffer())
