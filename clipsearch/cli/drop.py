"""`clipsearch drop`."""

import sys

import click

from clipsearch.cli import options
from clipsearch.cli.messages import note
from clipsearch.errors import UsageError
from clipsearch.session import open_store


@click.command()
@click.argument("name", metavar="COLLECTION")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.uri
def drop(*, name: str, yes: bool, uri: str, token: str | None) -> None:
    """Delete a collection from the store; image files stay."""
    with open_store(uri, token=token, create=False) as store:
        rows = next((info.rows for info in store.collections() if info.name == name), None)
        if rows is not None and not yes:
            if not sys.stdin.isatty():
                raise UsageError(f"deleting {name!r} with {rows:,} images needs --yes")
            if not click.confirm(f"Delete {name!r} with {rows:,} images?", err=True):
                note("nothing deleted")
                return
        store.drop(name)
    note(f"deleted {name}")
