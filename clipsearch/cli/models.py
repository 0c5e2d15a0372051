"""`clipsearch models`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from clipsearch import cpu
from clipsearch.cli import options
from clipsearch.models import registry

RIGHT_ALIGNED = (1, 2)  # columns of numbers


@click.command()
@click.option(
    "-v", "--verbose", is_flag=True, help="Also show the precisions measured on this machine."
)
@options.as_json
def models(*, verbose: bool, as_json: bool) -> None:
    """List recommended models, and which need no download.

    Any other open_clip ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER, align:ORG/NAME, align:FOLDER,
    onnx:ORG/NAME or onnx:FOLDER works as well. Plug-ins of other packages are listed last.
    """
    specs = [
        (spec, registry.is_local(spec)) for spec in [*registry.MODELS, *registry.plugin_specs()]
    ]
    if as_json:
        for spec, local in specs:
            properties: dict[str, object] = {"download_bytes": spec.download_bytes, "local": local}
            if verbose:
                record = registry.measured_precision(spec.name)
                properties["measured_precisions"] = record.to_json() if record else None
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
    if verbose:
        click.echo(f"\nprocessor: {cpu.description()}")
        measured = {spec: registry.measured_precision(spec.name) for spec, _ in specs}
        for spec, record in measured.items():
            if record:
                click.echo(f"{spec.alias or spec.name}: {record.describe()}")
        if not any(measured.values()):
            click.echo("no precisions measured: the first use of a model on the CPU does that")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in RIGHT_ALIGNED else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
