"""`clipsearch copy`."""

import json
from dataclasses import asdict

import click

from clipsearch import config
from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR, EXIT_SOME_FAILED
from clipsearch.cli.index_wait import wait_for_index
from clipsearch.cli.messages import is_quiet, note
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.session import open_store
from clipsearch.store.schema import MAX_TAGS
from clipsearch.transfer.copy_collection import CopiedCollection, copy_collections, require_other
from clipsearch.uri import parse_uri


@click.command()
@click.option(
    "--from",
    "source",
    envvar="CLIPSEARCH_URI",
    default=config.default_uri,
    show_default="a file in the user's data folder",
    metavar="URI",
    help="The store to read: a .db file, or the address of a Milvus server. [env: CLIPSEARCH_URI]",
)
@click.option("--to", "target", required=True, metavar="URI", help="The store to write.")
@click.option(
    "-c", "--collection", metavar="NAME", help="Copy only this collection.  [default: all]"
)
@click.option("--to-collection", metavar="NAME", help="Name of the copy.  [default: the same name]")
@click.option(
    "--delete", is_flag=True, help="Delete rows of the target that the source does not have."
)
@click.option(
    "--verify-all",
    "compare_all",
    is_flag=True,
    help="Compare the vectors of all rows in the end, instead of 1,000.",
)
@click.option(
    "--from-token",
    envvar="CLIPSEARCH_FROM_TOKEN",
    help="user:password or API key of the source. [env: CLIPSEARCH_FROM_TOKEN]",
)
@click.option(
    "--to-token",
    envvar="CLIPSEARCH_TO_TOKEN",
    help="user:password or API key of the target. [env: CLIPSEARCH_TO_TOKEN; CLIPSEARCH_TOKEN "
    "sets the token of the only server, if one of the stores is a file or both are on it]",
)
@options.as_json
def copy(
    *,
    source: str,
    target: str,
    collection: str | None,
    to_collection: str | None,
    delete: bool,
    compare_all: bool,
    from_token: str | None,
    to_token: str | None,
    as_json: bool,
) -> int:
    """Copy collections to another store, such as from a file to a Milvus server.

    Copies the rows, and folders, failures, textness probe and calibration. Rows that the target has
    already are not sent again: run the same command again after an interruption, or to copy what
    has changed. In the end, all ids and checksums are compared, and the vectors of a sample.

    The exit code is 1 if the source kept changing, and 3 if damaged or refused rows were left out.

    \b
    clipsearch copy --from photos.db --to http://127.0.0.1:19530
    clipsearch copy --to backup.db --collection images
    """
    if to_collection is not None and collection is None:
        raise click.UsageError("--to-collection needs --collection")
    from_uri, to_uri = parse_uri(source), parse_uri(target)
    require_other(from_uri, to_uri, collection, to_collection or collection or "")
    setting = config.find_setting("token")
    is_one_server = from_uri.path is None and from_uri.address == to_uri.address
    # No server gets another's token.
    is_clear = is_one_server or (from_uri.path is None) != (to_uri.path is None)
    shared = setting.value if setting and is_clear else None
    exit_codes = []
    with (
        open_store(
            from_uri.text, token=from_token or shared, create=False, consistency="strong"
        ) as from_store,
        open_store(to_uri.text, token=to_token or shared, consistency="strong") as to_store,
    ):
        for copied in copy_collections(
            from_store,
            to_store,
            collection,
            to_collection,
            delete=delete,
            compare_all=compare_all,
            open_progress=progress_bar,
        ):
            wait_for_index(Index(to_store, copied.target_name), quiet=is_quiet())
            exit_codes.append(_exit_code(copied))
            click.echo(json.dumps(_as_json(copied))) if as_json else _show(copied)
    return EXIT_ERROR if EXIT_ERROR in exit_codes else max(exit_codes)


def _exit_code(copied: CopiedCollection) -> int:
    if not copied.rows.is_complete:
        return EXIT_ERROR
    return EXIT_SOME_FAILED if copied.rows.damaged or copied.rows.refused else 0


def _as_json(copied: CopiedCollection) -> dict[str, object]:
    names = {"collection": copied.name, "target_collection": copied.target_name}
    return {**names, **asdict(copied.rows), "texts": copied.texts}


def _show(copied: CopiedCollection) -> None:
    rows = copied.rows
    label = copied.name
    if copied.target_name != label:
        label += f" as {copied.target_name}"
    verified = "verified" if rows.is_complete else "not complete"
    click.echo(f"{label}: {rows.rows:,} images, {rows.sent:,} sent, {verified}")
    if copied.texts:
        note(f"  {copied.texts:,} texts sent that were read in images")
    if rows.deleted:
        note(f"  {rows.deleted:,} deleted that only the target had")
    if rows.extra:
        note(f"  {rows.extra:,} more are in the target only: --delete deletes them")
    if rows.damaged:
        note(
            f"  {rows.damaged:,} damaged were left out: `clipsearch check --repair` of the source "
            "restores them; then copy again"
        )
    if rows.refused:
        note(
            f"  {rows.refused:,} were refused by the target, such as rows with over {MAX_TAGS} tags"
        )
    if not rows.is_complete:
        note("  the source kept changing: run the same command again")
