"""`clipsearch remove`."""

import click

from clipsearch.cli import options
from clipsearch.errors import UsageError
from clipsearch.index import Index


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.store
def remove(*, paths: tuple[str, ...], uri: str, token: str | None, collection: str) -> None:
    """Forget pictures, or all under a folder, without touching their files.

    They need not exist any more.

    \b
    clipsearch remove ~/Pictures/private
    """
    with Index.open(uri, collection=collection, token=token, create=False) as index:
        removed = index.remove(*paths)
    if not removed:
        raise UsageError(f"the collection {collection!r} has nothing at {', '.join(paths)}")
    click.echo(f"{removed:,} removed", err=True)
