"""`clipsearch models`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from clipsearch.cli import options
from clipsearch.models import registry

RIGHT_ALIGNED = (1, 2)  # columns of numbers


@click.command()
@options.as_json
def models(*, as_json: bool) -> None:
    """List recommended models, and which need no download.

    Any other open_clip ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER, align:ORG/NAME, align:FOLDER,
    onnx:ORG/NAME or onnx:FOLDER works as well. Plug-ins of other packages are listed last.
    """
    specs = [
        (spec, registry.is_local(spec)) for spec in [*registry.MODELS, *registry.plugin_specs()]
    ]
    if as_json:
        for spec, local in specs:
            properties = {"download_bytes": spec.download_bytes, "local": local}
            click.echo(json.dumps(asdict(spec) | properties))
        return
    rows = [("model", "dim", "download", "license", "", "")]
    for spec, local in specs:
        name = f"{spec.alias} = {spec.name}" if spec.alias else spec.name
        size = f"{spec.download_bytes / 1e6:,.0f} MB" if spec.download_bytes else "-"
        location = "local" if local else ""
        rows.append((name, str(spec.dim or "-"), size, spec.license, location, spec.note))
    for line in _aligned(rows):
        click.echo(line)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in RIGHT_ALIGNED else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
