"""`clipsearch watch`."""

import logging
from pathlib import Path

import click

from clipsearch.cli import ingest_options, options
from clipsearch.cli.progress import progress_bar
from clipsearch.cli.read import read_ingested
from clipsearch.cli.watch_output import WatchOutput
from clipsearch.errors import (
    BusyStoreError,
    DamagedStoreError,
    ModelError,
    ModelMismatchError,
    StoreError,
    UsageError,
)
from clipsearch.files.changes import FileChanges
from clipsearch.files.discover import FileSource
from clipsearch.files.walk import FileSelection
from clipsearch.index import Index
from clipsearch.locations.archive_names import is_archive
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.ocr.reader import TextReader
from clipsearch.remote_path import RemotePath, locate
from clipsearch.session import daemon_of
from clipsearch.uri import parse_uri
from ingest.ocr.options import ReadOptions
from ingest.options import IngestOptions
from ingest.report import IngestReport
from ingest.watch import RunResult, keep_current


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.store
@ingest_options.model
@options.runtime
@ingest_options.selection
@click.option(
    "--prune/--no-prune",
    default=True,
    show_default=True,
    help="Remove images whose files were deleted.",
)
@ingest_options.max_pixels
@options.max_memory
@ingest_options.reads
@click.option(
    "--poll",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Look at the files this often, for network disks, instead of waiting for events.",
)
@ingest_options.quiet
@options.as_json
def watch(
    *,
    paths: tuple[str, ...],
    uri: str,
    token: str | None,
    collection: str,
    model: str | None,
    runtime: Runtime,
    selection: FileSelection,
    prune: bool,
    max_pixels: int,
    reader: TextReader | None,
    poll: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Keep a collection current: ingest folders and files, then what changes in them.

    Runs until it is interrupted, and prints one line for each run that changed something. A run
    starts when the files have not changed for two seconds. In between, the store is closed, so
    that other commands can open it. Deleted files are removed from the collection, unless a
    whole folder or most of the files are gone, as if a disk is not mounted. With --read, the text
    in new images is read after each run.

    \b
    clipsearch watch ~/Pictures
    clipsearch watch ~/Pictures ~/Screenshots --exclude "*.gif"
    clipsearch watch /mnt/nas --poll 60
    """
    for path in map(locate, paths):
        if isinstance(path, RemotePath) or (is_archive(path) and path.is_file()):
            raise UsageError(f"{path} cannot be watched, only local folders: run ingest again")
    locations = FileSource(paths, selection).locations  # a mistyped path is an error
    if quiet:
        logging.getLogger("clipsearch").setLevel(logging.WARNING)
    changes = FileChanges(locations, selection, interval=poll, ignored=parse_uri(uri).path)
    output = WatchOutput(quiet=quiet, as_json=as_json)
    ingestion = _Ingestion(
        locations,
        selection,
        IngestOptions(prune=prune, max_pixels=max_pixels),
        uri=uri,
        collection=collection,
        token=token,
        model=model,
        runtime=runtime,
        reader=reader,
        output=output,
    )
    keep_current(ingestion.run, changes)


class _Ingestion:
    """One run after another over the same paths; the model stays loaded, the store does not."""

    def __init__(
        self,
        locations: list[Path],
        selection: FileSelection,
        ingest_options: IngestOptions,
        *,
        uri: str,
        collection: str,
        token: str | None,
        model: str | None,
        runtime: Runtime,
        reader: TextReader | None,
        output: WatchOutput,
    ) -> None:
        self._locations = locations
        self._selection = selection
        self._options = ingest_options
        self._uri = uri
        self._collection = collection
        self._token = token
        self._model: str | Encoder | None = model
        self._runtime = runtime
        self._reader = reader
        self._is_unread = True  # whether there may be images whose text was not read
        self._output = output
        self._has_run = False

    def run(self) -> RunResult:
        """Ingest what changed; wait for a store that is busy, or lost since the first run."""
        shows_progress = self._output.shows_progress
        try:
            report = self._ingest()
            self._has_run = True
            self._output.report(report)
            if report is not None and self._reader is not None:
                self._read(report, self._reader, shows_progress=shows_progress)
        except BusyStoreError as error:
            self._output.trouble(error)
            return RunResult(is_busy=True)
        except (DamagedStoreError, ModelMismatchError):
            raise
        except (StoreError, OSError) as error:
            if not self._has_run:  # a mistyped address, most likely
                raise
            self._output.trouble(error)
            return RunResult(is_busy=True)
        return RunResult(frozenset(report.failed) if report else frozenset())

    def _read(self, report: IngestReport, reader: TextReader, *, shows_progress: bool) -> None:
        """Read the text of new images, and of those that an earlier run could not read."""
        self._is_unread |= bool(report.stored + report.copied + report.moved)
        if not self._is_unread:
            return
        try:
            read = read_ingested(
                self._locations,
                reader,
                ReadOptions(max_pixels=self._options.max_pixels),
                uri=self._uri,
                token=self._token,
                collection=self._collection,
                runtime=self._runtime,
                quiet=not shows_progress,
            )
        except ModelError as error:  # the images are ingested, which goes on
            self._output.trouble(error)
            return
        if read is not None:
            self._is_unread = bool(read.failed)
            self._output.report_reading(read)

    def _ingest(self) -> IngestReport | None:
        # Without `strict`: a folder that vanished is a failure, and nothing below it is removed.
        source = FileSource(self._locations, self._selection, strict=False)
        is_empty = next(iter(source), None) is None
        if is_empty and parse_uri(self._uri).is_new_file:
            return None
        with Index.open(
            self._uri,
            collection=self._collection,
            model=self._model,
            token=self._token,
            **self._runtime.options(),
        ) as index:
            if is_empty and index.find_collection() is None:
                return None
            encoder = index.load()
            with progress_bar(quiet=not self._output.shows_progress) as bar:
                report = index.ingest_source(source, options=self._options, progress=bar)
            if daemon_of(index.store) is None:  # the daemon's model is loaded there
                self._model = encoder
        return report
