"""The images of all kinds of sources that a user names, as one stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.paths import canonical, is_file, modified_ns
from clipsearch.files.skipped import SkippedFiles
from clipsearch.files.walk import FileSelection, os_failure
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.locations.archive_names import is_archive, is_parquet, is_tar
from clipsearch.locations.object_store import find_object, require_package
from clipsearch.locations.parquet_file import require_pyarrow
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.remote_path import RemotePath
from clipsearch.store.archive_ledger import ArchiveState
from ingest.sources.item import Item, UnchangedArchive
from ingest.sources.metadata_reader import MetadataReader
from ingest.sources.object_source import object_images
from ingest.sources.parquet_source import ParquetOptions, parquet_images
from ingest.sources.patterns import expand
from ingest.sources.tar_source import tar_images


class Images(Protocol):
    """Images to compare with a collection."""

    roots: list[Path]
    """The folders and prefixes, canonical, each once."""

    def __iter__(self) -> Iterator[Item]:
        """Look again, and yield each image; a place that cannot be used is a Failure."""


class Source(Images, Protocol):
    """What an ingestion reads: a FileSource, or Sources."""

    skipped: SkippedFiles
    """What the last iteration met and did not take."""

    @property
    def locations(self) -> list[Path]:
        """The canonical location of everything that was named."""

    def count(self) -> int | None:
        """Count what an iteration would yield; None if that takes as long as reading it."""

    def require_any(self) -> None:
        """Raise UsageError if there are no images."""

    def part(self, locations: Iterable[Path]) -> Source:
        """Return a source of some of the locations, with the same options."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to read archives and Parquet files."""

    fields: FieldSelection = field(default_factory=FieldSelection)
    parquet: ParquetOptions = field(default_factory=ParquetOptions)


def open_source(
    paths: Iterable[str | Path],
    selection: FileSelection | None = None,
    options: SourceOptions | None = None,
    *,
    strict: bool = True,
) -> FileSource | Sources:
    """Return the images at some paths, URIs and patterns.

    `strict` is as for `FileSource`. Raises UsageError if something does not exist, or its package
    is not installed.
    """
    files: list[Path] = []
    others: list[Path] = []
    for given in arguments.paths("paths", paths):
        for path in expand(given) if strict else (given,):
            is_other = isinstance(path, RemotePath) or (is_archive(path) and is_file(path))
            (others if is_other else files).append(path)
    if not others:
        return FileSource(files, selection, strict=strict)
    source = FileSource(files, selection, strict=strict)
    return Sources(source, others, selection or FileSelection(), options or SourceOptions())


def plain_files(source: Source) -> Iterator[Path]:
    """Yield the local files among the images of a source, without reading archives."""
    files = source.files if isinstance(source, Sources) else source
    return (file.path for file in files if isinstance(file, ImageFile))


class Sources:
    """Folders and files, then archives and prefixes of object stores in the order given."""

    def __init__(
        self,
        files: FileSource,
        others: Iterable[Path],
        selection: FileSelection,
        options: SourceOptions,
    ) -> None:
        """Find out which URIs are archives; raises UsageError if a package is missing."""
        self.files = files
        self._selection = selection
        self._options = options
        self.skipped = SkippedFiles()
        self.archives: list[Path] = []
        """The archives, canonical, each once."""
        self.prefixes: list[RemotePath] = []
        for path in dict.fromkeys(map(canonical, others)):
            if isinstance(path, RemotePath):
                require_package(path)
            if is_parquet(path):
                require_pyarrow()
            if isinstance(path, RemotePath) and not (is_archive(path) and _exists(path)):
                self.prefixes.append(RemotePath(str(path).rstrip("/")))
            else:
                self.archives.append(path)
        self.roots: list[Path] = [*files.roots, *self.prefixes]
        self.known: dict[Path, ArchiveState] = {}
        """The states of archives that need not be read if they still have them."""
        self.complete: dict[Path, ArchiveState] = {}
        """The states of the archives that the last iteration read to their end."""
        self.present: dict[Path, set[str]] = {}
        """The ids of the images of those of them that have changed."""
        self.metadata = MetadataReader(options.fields)
        """What the last iteration found of metadata."""

    @property
    def locations(self) -> list[Path]:
        """The canonical location of everything that was named."""
        return [*self.files.locations, *self.prefixes, *self.archives]

    def __iter__(self) -> Iterator[Item]:
        self.skipped, self.complete, self.present = SkippedFiles(), {}, {}
        self.metadata = MetadataReader(self._options.fields)
        yield from self.files
        self.skipped.merge(self.files.skipped)
        for prefix in self.prefixes:
            yield from object_images(prefix, self._selection, self.skipped)
        for archive in self.archives:
            yield from self._read(archive)

    def count(self) -> int | None:
        """Return None: only reading the archives tells."""
        return None

    def require_any(self) -> None:
        """Raise UsageError if nothing is found."""
        if next(iter(self), None) is None:
            raise UsageError(f"no images in {', '.join(map(str, self.locations[:3]))}")

    def part(self, locations: Iterable[Path]) -> Sources:
        """Return a source of some of the locations, with the same options."""
        mine = {*self.prefixes, *self.archives}
        places = list(locations)
        files = self.files.part([place for place in places if place not in mine])
        others = [place for place in places if place in mine]
        part = Sources(files, others, self._selection, self._options)
        part.known = self.known
        return part

    def _read(self, archive: Path) -> Iterator[Item]:
        try:
            size, mtime_ns = _stamp(archive)
        except OSError as error:
            yield os_failure(archive, error)
            return
        known = self.known.get(archive)
        settings = content_hash(repr(self._options).encode())
        if known and (known.size, known.mtime_ns, known.settings) == (size, mtime_ns, settings):
            self.complete[archive] = known
            yield UnchangedArchive(archive, known.images)
            return
        if is_tar(archive):
            images = tar_images(archive, mtime_ns, self.metadata, self.skipped)
        else:
            images = parquet_images(archive, mtime_ns, self.metadata, self._options.parquet)
        count, is_whole = 0, True
        present: set[str] = set()
        for item in images:
            if isinstance(item, ImageFile):
                count += 1
                if known:
                    present.add(image_id(item.path))
                    item = replace(item, recheck=True)
                yield item
            else:
                is_whole = is_whole and item.path != archive
                yield item
        if is_whole:
            self.complete[archive] = ArchiveState(size, mtime_ns, count, settings)
            if known:
                self.present[archive] = present


def _exists(path: RemotePath) -> bool:
    try:
        return find_object(path) is not None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _stamp(archive: Path) -> tuple[int, int]:
    """Return the size and the mtime in ns of an archive; raises OSError."""
    if not isinstance(archive, RemotePath):
        status = archive.stat()
        return status.st_size, modified_ns(status)
    stored = find_object(archive)
    if stored is None:
        raise FileNotFoundError(None, "no such object")
    return stored.size, stored.mtime_ns
