"""`clipsearch reindex`."""

import json

import click

from clipsearch.cli import ingest_options, options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.cli.failures import show_failures
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.daemon.process import start_for_others
from clipsearch.errors import UsageError
from clipsearch.index import Index
from clipsearch.model_match import reindex_command
from clipsearch.models.registry import is_other_release
from clipsearch.models.runtime import Runtime
from clipsearch.session import open_store
from clipsearch.store.index.choice import CHOICES
from ingest.reindex import run
from ingest.reindex.report import ReindexReport
from ingest.reindex.run import ReindexOptions


@click.command()
@options.store
@click.option(
    "--model",
    help=f"{options.MODEL_HELP} The new model.  [default: the model of the collection]",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Switch although images are lost, as their files are missing or cannot be decoded.",
)
@click.option(
    "--index",
    "index_kind",
    type=click.Choice(CHOICES),
    help="Kind of the new index.  [default: that of the old one]",
)
@click.option("--drop-old", is_flag=True, help="Delete the old rows, after the switch or later.")
@click.option("--rollback", is_flag=True, help="Return to the old rows.")
@click.option("--cancel", is_flag=True, help="Delete the rows of an unfinished reindex.")
@click.option("--force", is_flag=True, help="Rebuild a collection that is up to date, too.")
@options.runtime
@ingest_options.max_pixels
@options.max_memory
@options.as_json
def reindex(
    *,
    uri: str,
    token: str | None,
    collection: str,
    model: str | None,
    allow_missing: bool,
    index_kind: str | None,
    drop_old: bool,
    rollback: bool,
    cancel: bool,
    force: bool,
    runtime: Runtime,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Rebuild a collection: with another model, or with the fields of this version.

    With --model, the image files of the collection are embedded again. Without it, rows keep their
    vectors, and get the fields that collections of older versions lack: tags, place, camera,
    checksum. The new rows are stored beside the old ones, which all commands use until the new ones
    are complete and verified. Then all use the new ones at once. An interrupted reindex continues
    with the next one. The old rows are kept for --rollback until --drop-old.

    \b
    clipsearch reindex --model MobileCLIP2-S2/dfndr2b
    clipsearch reindex
    clipsearch reindex --drop-old
    """
    chosen = [name for name, given in (("--rollback", rollback), ("--cancel", cancel)) if given]
    if len(chosen) > 1 or (chosen and (model or drop_old or allow_missing or index_kind or force)):
        raise UsageError(f"{chosen[0]} cannot be combined with other actions")
    choices = ReindexOptions(
        allow_missing=allow_missing,
        drop_old=drop_old,
        max_pixels=max_pixels,
        index=index_kind,
        force=force,
    )
    is_long = model is not None or index_kind is not None or force
    if not chosen and (is_long or not _is_up_to_date(uri, token, collection)):
        start_for_others(uri, token, collection, runtime)
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        if rollback:
            index.roll_back()
            note(f"{collection} has the rows by {index.collection.info.model.name} again")
            return 0
        if cancel:
            deleted = run.cancel(index.store, collection)
            note("the unfinished reindex is deleted" if deleted else "no reindex is unfinished")
            return 0
        report = index.reindex(model, options=choices, open_progress=progress_bar)
        if report is not None:
            return _show(report, as_json=as_json)
        if drop_old and run.drop_old(index.store, collection):
            note("the old rows are deleted")
        else:
            made_by = index.collection.info.model
            note(f"{collection} is up to date: by {made_by.name}, with all fields of this version")
            if is_other_release(made_by):
                command = reindex_command(collection, made_by.name)
                note(
                    f"its vectors are of another release of {made_by.name}: `{command}` embeds the "
                    "images with this one"
                )
    return 0


def _is_up_to_date(uri: str, token: str | None, collection: str) -> bool:
    with open_store(uri, token=token, create=False) as store:
        return store.collection(collection).info.is_up_to_date


def _show(report: ReindexReport, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(report.as_json()))
    show_failures(report.lost, hint=": --json lists them", count=False)
    for line in report.lines():
        note(line)
    return 0 if report.switched else EXIT_ERROR
