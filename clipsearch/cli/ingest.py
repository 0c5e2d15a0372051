"""`clipsearch ingest`."""

import json
import logging
import shlex
import sys
from pathlib import Path

import click

from clipsearch import config
from clipsearch.address_space import TEXTS, require_address_space
from clipsearch.cli import ingest_options, options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.cli.failures import show_failures
from clipsearch.cli.index_wait import wait_for_index
from clipsearch.cli.progress import progress_bar
from clipsearch.cli.read import read_ingested, show_report
from clipsearch.daemon.process import start_if_enabled
from clipsearch.errors import UsageError
from clipsearch.files.path_list import find_whole_disk, read_path_list
from clipsearch.files.walk import FileSelection
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.ocr.reader import TextReader
from clipsearch.remote_path import locate
from clipsearch.uri import parse_uri
from ingest.dry_run import preview
from ingest.ocr.options import ReadOptions
from ingest.options import IngestOptions
from ingest.ray.options import RayEngine
from ingest.report import IngestReport
from ingest.sources.source import SourceOptions, open_source


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.store
@ingest_options.model
@options.runtime
@ingest_options.selection
@click.option("--prune", is_flag=True, help="Remove images whose files were deleted.")
@click.option("--force", is_flag=True, help="With --prune: proceed even if most files are gone.")
@ingest_options.max_pixels
@options.max_memory
@click.option("--dry-run", is_flag=True, help="Show what would change without writing.")
@click.option(
    "--rehash",
    is_flag=True,
    help="Compare the content of files whose size and date are unchanged, and retry failures.",
)
@ingest_options.reads
@click.option(
    "--yes", is_flag=True, help="Ingest a whole disk or home folder that a list on - names."
)
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="On a Milvus server: wait until its index covers the new images.",
)
@ingest_options.sources
@ingest_options.ray_engine
@ingest_options.quiet
@ingest_options.index
@ingest_options.recall
@options.as_json
def ingest(
    *,
    paths: tuple[str, ...],
    uri: str,
    token: str | None,
    collection: str,
    model: str | None,
    runtime: Runtime,
    selection: FileSelection,
    prune: bool,
    force: bool,
    max_pixels: int,
    dry_run: bool,
    rehash: bool,
    reader: TextReader | None,
    yes: bool,
    wait: bool,
    source_options: SourceOptions,
    engine: RayEngine | None,
    index_kind: str,
    recall: float | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Add the images in folders and files to a collection.

    PATH may be - to read paths from standard input, separated by newlines or NUL bytes, in UTF-8 or
    UTF-16. It may also be a tar archive, a Parquet file, or a URI such as s3://bucket/prefix.
    Unchanged files are skipped after a stat call. An interrupted ingestion continues with the next
    run.

    \b
    clipsearch ingest ~/Pictures
    clipsearch ingest ~/Pictures --prune --exclude "*.gif"
    clipsearch ingest "shards/{000..099}.tar"
    find . -name "*.jpg" -print0 | clipsearch ingest -
    """
    # Neither a mistyped path nor an empty folder creates a store.
    given = _read_paths(paths, whole_disk=yes)
    source = open_source(given, selection, source_options, strict="-" not in paths)
    choices = IngestOptions(prune=prune, force=force, max_pixels=max_pixels, rehash=rehash)
    if quiet:
        logging.getLogger("clipsearch").setLevel(logging.WARNING)
    is_new_file = parse_uri(uri).is_new_file
    if is_new_file:
        source.require_any()
    is_first = False
    if dry_run and is_new_file:
        report = preview(source, None, choices)  # opening the store would create it
        exit_code = _show(report, as_json=as_json, quiet=quiet)
    else:
        if not dry_run:  # before the threads of the store, which may hang without memory for theirs
            require_address_space(TEXTS, "load a model")
        with Index.open(
            uri,
            collection=collection,
            model=model,
            token=token,
            daemon=engine is None,  # workers connect to a server themselves
            index=index_kind,
            recall=recall,
            **runtime.options(),
        ) as index:
            is_first = index.find_collection() is None
            if not dry_run:
                index.load()  # logs the choice of the model above the progress bar
            with progress_bar(quiet=quiet) as bar:
                report = index.ingest_source(
                    source, options=choices, dry_run=dry_run, progress=bar, engine=engine
                )
            exit_code = _show(report, as_json=as_json, quiet=quiet)
            if wait and not dry_run and report.stored + report.copied + report.moved:
                wait_for_index(index, quiet=quiet)
    if not dry_run:
        if is_first and report.stored and not quiet:
            click.echo(f"try: {_example_query(uri, collection)}", err=True)
        start_if_enabled(uri, token, collection, runtime)
        if reader is not None:
            read = read_ingested(
                source.locations,
                reader,
                ReadOptions(max_pixels=max_pixels),
                uri=uri,
                token=token,
                collection=collection,
                runtime=runtime,
                quiet=quiet,
            )
            if read is not None:
                exit_code = max(exit_code, show_report(read, as_json=as_json, quiet=quiet))
    return EXIT_ERROR if report.refused else exit_code


def _read_paths(paths: tuple[str, ...], *, whole_disk: bool) -> list[Path]:
    """Return the paths of the command line, then those of standard input if one path is `-`.

    A list may name a whole disk by mistake, so that needs `whole_disk`.
    """
    from_stdin = read_path_list(sys.stdin.buffer) if "-" in paths and sys.stdin else []
    if not whole_disk and (wide := find_whole_disk(from_stdin)):
        raise UsageError(f"the list names {wide}, a whole disk or home folder: --yes ingests it")
    files = [locate(path) for path in paths if path != "-"] + from_stdin
    if not files:
        raise UsageError("standard input contains no paths")
    return files


def _example_query(uri: str, collection: str) -> str:
    """A command that queries this collection, for the user's shell."""
    command = ["clipsearch", "query"]
    if uri != config.default_uri():
        command += ["--uri", parse_uri(uri).display]  # without a password
    if collection != config.default_collection():
        command += ["--collection", collection]
    return f'{shlex.join(command)} "a dog on the beach"'


def _show(report: IngestReport, *, as_json: bool, quiet: bool) -> int:
    """Print the report; return the exit code."""
    if as_json:
        click.echo(json.dumps(report.as_json()))
    exit_code = show_failures(report.failed, hint=": clipsearch status --failures", count=False)
    for line in report.refused if quiet else report.lines():
        click.echo(line, err=True)
    return exit_code
