"""`clipsearch status`."""

import json

import click

from clipsearch import config
from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.errors import StoreError
from clipsearch.escape import escape_control
from clipsearch.models import registry
from clipsearch.session import open_store
from clipsearch.store import Collection, Store

SHOWN_FAILURES = 5


@click.command()
@options.uri
@click.option("--failures", "all_failures", is_flag=True, help="List every file that failed.")
@options.as_json
def status(*, uri: str, token: str | None, all_failures: bool, as_json: bool) -> int:
    """Show the collections of a store: models, images, folders, failures and disk use."""
    with open_store(uri, token=token, create=False) as store:
        collections = {info.name: _open(store, info.name) for info in store.collections()}
        disk_bytes = store.disk_bytes()
        if as_json:
            described = [_as_json(name, opened) for name, opened in collections.items()]
            places = {"cache": str(config.cache_folder()), "config": str(config.config_path())}
            store_fields = {"uri": store.uri, "disk_bytes": disk_bytes, **places}
            click.echo(json.dumps({**store_fields, "collections": described}))
        else:
            size = "" if disk_bytes is None else f", {disk_bytes / 1e6:,.1f} MB"
            click.echo(f"store  {escape_control(store.uri)}{size}")
            click.echo(f"cache  {escape_control(str(config.cache_folder()))}")
            click.echo(f"config {escape_control(str(config.config_path()))}")
            for name, opened in collections.items():
                _show(name, opened, None if all_failures else SHOWN_FAILURES)
            if not collections:
                click.echo("no collections: `clipsearch ingest FOLDER` creates one")
    return EXIT_ERROR if any(isinstance(c, StoreError) for c in collections.values()) else 0


def _open(store: Store, name: str) -> Collection | StoreError:
    try:
        return store.collection(name)
    except StoreError as error:  # a damaged collection does not hide the others
        return error


def _as_json(name: str, opened: Collection | StoreError) -> dict[str, object]:
    if isinstance(opened, StoreError):
        return {"name": name, "error": str(opened)}
    info = opened.info
    record = registry.measured_precision(info.model.name)
    return {
        "name": name,
        "images": opened.estimate_count(),
        "model": info.model.name,
        "dim": info.model.dim,
        "weights": info.model.weights,
        "preprocessing": info.model.preprocessing,
        "precision": info.model.precision,
        "measured_precisions": record.to_json() if record else None,
        "schema_version": info.schema_version,
        "created_at": info.created_at,
        "roots": [str(root) for root in info.roots],
        "failures": [{"path": str(f.path), "reason": f.reason} for f in opened.failures()],
    }


def _show(name: str, opened: Collection | StoreError, max_failures: int | None) -> None:
    if isinstance(opened, StoreError):
        click.echo(f"\n{name}: {escape_control(str(opened))}")
        return
    info = opened.info
    count = opened.estimate_count()
    click.echo(f"\n{name}: {count:,} images")
    if not count:
        click.echo("  empty     `clipsearch ingest` adds images, or continues what was interrupted")
    click.echo(f"  model     {info.model.name}, {info.model.dim} dimensions")
    if record := registry.measured_precision(info.model.name):
        click.echo(f"  precision {record.describe()}")
    click.echo(f"  created   {info.created_at}")
    for root in info.roots:
        click.echo(f"  folder    {escape_control(str(root))}")
    failures = opened.failures()
    for failure in failures[:max_failures]:
        click.echo(f"  failed    {escape_control(f'{failure.path}: {failure.reason}')}")
    if max_failures is not None and len(failures) > max_failures:
        more = len(failures) - max_failures
        click.echo(f"  failed    … and {more:,} more: --failures lists them")
