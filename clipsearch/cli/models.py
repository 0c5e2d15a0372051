"""`clipsearch models`."""

import json
from dataclasses import asdict

import click

from clipsearch.cli import options
from clipsearch.models import registry


@click.command()
@options.as_json
def models(*, as_json: bool) -> None:
    """List the models worth naming, and which of them are on this machine.

    Any other open_clip ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER, align:ORG/NAME or align:FOLDER
    works as well.
    """
    rows = [(spec, registry.is_local(spec)) for spec in registry.MODELS]
    if as_json:
        for spec, local in rows:
            click.echo(
                json.dumps(asdict(spec) | {"download_bytes": spec.download_bytes, "local": local})
            )
        return
    table = [("model", "dim", "download", "license", "", "")]
    for spec, local in rows:
        name = f"{spec.alias} = {spec.name}" if spec.alias else spec.name
        size = f"{spec.download_bytes / 1e6:,.0f} MB" if spec.download_bytes else "-"
        table.append((name, str(spec.dim), size, spec.license, "local" if local else "", spec.note))
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        cells = (
            cell.rjust(w) if i in (1, 2) else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=False))
        )
        click.echo("  ".join([*cells, row[5]]).rstrip())
