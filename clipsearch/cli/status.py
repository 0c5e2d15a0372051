"""`clipsearch status`."""

import json

import click

from clipsearch.cli import options
from clipsearch.render.text import safe
from clipsearch.store import Collection, Store

SHOWN = 5


@click.command()
@options.uri
@click.option("--failures", "all_failures", is_flag=True, help="List every file that failed.")
@options.as_json
def status(*, uri: str, token: str | None, all_failures: bool, as_json: bool) -> None:
    """Show the collections of a store: model, pictures, folders, failures, disk."""
    with Store.open(uri, token=token, create=False) as store:
        collections = [store.collection(info.name) for info in store.collections()]
        disk = store.disk_bytes()
        if as_json:
            described = [_as_json(collection) for collection in collections]
            click.echo(json.dumps({"uri": store.uri, "disk_bytes": disk, "collections": described}))
            return
        size = "" if disk is None else f", {disk / 1e6:,.1f} MB"
        click.echo(f"store {store.uri}{size}")
        for collection in collections:
            _show(collection, SHOWN if not all_failures else None)
        if not collections:
            click.echo("no collections: `clipsearch ingest FOLDER` makes one")


def _as_json(collection: Collection) -> dict[str, object]:
    info = collection.info
    return {
        "name": info.name,
        "images": collection.count(),
        "model": info.model.name,
        "dim": info.model.dim,
        "weights": info.model.weights,
        "preprocessing": info.model.preprocessing,
        "precision": info.model.precision,
        "schema_version": info.schema_version,
        "created_at": info.created_at,
        "roots": [str(root) for root in info.roots],
        "failures": [{"path": str(f.path), "reason": f.reason} for f in collection.failures()],
    }


def _show(collection: Collection, most: int | None) -> None:
    info = collection.info
    click.echo(f"\n{info.name}: {collection.count():,} images")
    click.echo(
        f"  model     {info.model.name}, {info.model.dim} dimensions, {info.model.precision}"
    )
    click.echo(f"  created   {info.created_at}")
    for root in info.roots:
        click.echo(f"  folder    {safe(str(root))}")
    failures = collection.failures()
    for failure in failures[:most]:
        click.echo(f"  failed    {safe(str(failure.path))}: {failure.reason}")
    if most is not None and len(failures) > most:
        click.echo(f"  failed    … and {len(failures) - most:,} more: --failures lists them")
