"""`clipsearch status`."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from clipsearch import config
from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.daemon import request as daemon
from clipsearch.daemon.connection import DaemonLostError
from clipsearch.escape import escape_control
from clipsearch.uri import parse_uri

SHOWN_FAILURES = 5


@click.command()
@options.uri
@click.option("--failures", "all_failures", is_flag=True, help="List every file that failed.")
@options.as_json
def status(*, uri: str, token: str | None, all_failures: bool, as_json: bool) -> int:
    """Show the collections of a store: models, images, folders, failures and disk use."""
    report = _read_status(uri, token)
    collections = report["collections"]
    places = {"cache": str(config.cache_folder()), "config": str(config.config_path())}
    if as_json:
        click.echo(json.dumps({**report, **places}))
    else:
        size = "" if report["disk_bytes"] is None else f", {report['disk_bytes'] / 1e6:,.1f} MB"
        click.echo(f"store  {escape_control(report['uri'])}{size}")
        for name, place in places.items():
            click.echo(f"{name:6} {escape_control(place)}")
        for collection in collections:
            _show(collection, None if all_failures else SHOWN_FAILURES)
        if not collections:
            click.echo("no collections: `clipsearch ingest FOLDER` creates one")
    return EXIT_ERROR if any("error" in collection for collection in collections) else 0


def _read_status(uri: str, token: str | None) -> dict[str, Any]:
    """Return the state of the store, from its daemon if one runs."""
    with suppress(DaemonLostError):
        if (report := daemon.store_status(parse_uri(uri), token)) is not None:
            return report
    # Late, as these import numpy and the store.
    from clipsearch.query.store_status import store_status
    from clipsearch.session import open_store

    with open_store(uri, token=token, create=False) as store:
        return store_status(store)


def _show(collection: Mapping[str, Any], max_failures: int | None) -> None:
    name = collection["name"]
    if "error" in collection:
        click.echo(f"\n{name}: {escape_control(collection['error'])}")
        return
    click.echo(f"\n{name}: {collection['images']:,} images")
    if pending := collection["pending_index_rows"]:
        click.echo(f"  index     being built: {pending:,} rows pending; searches may miss images")
    if advice := collection["index_advice"]:
        click.echo(f"  index     {advice}")
    if not collection["images"]:
        click.echo("  empty     `clipsearch ingest` adds images, or continues what was interrupted")
    model = collection["model"]
    click.echo(f"  model     {model}, {collection['dim']} dimensions")
    if collection["is_other_release"]:
        from clipsearch.model_match import reindex_command  # slow to import, and rarely needed

        command = reindex_command(name, model)
        click.echo(f"  release   another one of {model}: `{command}` embeds with this one")
    elif collection["calibration"] is None:
        click.echo("  p         none: `clipsearch calibrate` calibrates the model")
    else:
        click.echo(f"  p         calibrated by {collection['calibration']}")
    if collection["precisions"]:
        click.echo(f"  precision {collection['precisions']}")
    click.echo(f"  created   {collection['created_at']}")
    for generation in collection["generations"]:
        click.echo(f"  {_describe_generation(generation)}")
    for root in collection["roots"]:
        click.echo(f"  folder    {escape_control(root)}")
    text = collection["text"]
    if text["read"]:
        click.echo(
            f"  text      {text['read']:,} images were read, {text['with_text']:,} show text"
        )
    failures = [*collection["failures"], *text["failures"]]
    for failure in failures[:max_failures]:
        line = f"{failure['path']}: {failure['reason']}"
        click.echo(f"  failed    {escape_control(line)}")
    if max_failures is not None and len(failures) > max_failures:
        more = len(failures) - max_failures
        click.echo(f"  failed    … and {more:,} more: --failures lists them")


def _describe_generation(generation: Mapping[str, Any]) -> str:
    rows = f"{generation['images']:,} images by {generation['model']}"
    if generation["kind"] == "next":
        return f"reindex   unfinished: {rows}; `clipsearch reindex` continues it"
    if generation["kind"] == "catching up":
        return f"reindex   unfinished: late writes to {rows}; `clipsearch reindex` takes them over"
    size = f"about {generation['bytes'] / 1e6:,.1f} MB"
    return f"old rows  {rows}, {size}: `clipsearch reindex --drop-old` deletes them"
