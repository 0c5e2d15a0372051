"""`clipsearch remove`."""

import click

from clipsearch.cli import options
from clipsearch.cli.messages import note
from clipsearch.errors import UsageError
from clipsearch.index import Index


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.store
def remove(*, paths: tuple[str, ...], uri: str, token: str | None, collection: str) -> None:
    """Remove images or folders from a collection; image files stay.

    The files need not exist.

    \b
    clipsearch remove ~/Pictures/private
    """
    with Index.open(uri, collection=collection, token=token, create=False) as index:
        removed = {path: index.remove(path) for path in paths}
    if total := sum(removed.values()):
        note(f"{total:,} removed")
    if unknown := [path for path, count in removed.items() if not count]:
        raise UsageError(f"the collection {collection!r} has no images at {', '.join(unknown)}")
