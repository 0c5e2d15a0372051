"""`clipsearch duplicates`."""

import json
from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.index import Index
from clipsearch.query.near_duplicates import DEFAULT_SIMILARITY, DuplicateGroup
from clipsearch.render.display_text import display_path


@click.command()
@click.option(
    "--threshold",
    type=float,
    default=DEFAULT_SIMILARITY,
    show_default=True,
    help="Smallest cosine of a pair.",
)
@options.as_json
@options.store
def duplicates(
    *, threshold: float, as_json: bool, uri: str, token: str | None, collection: str
) -> None:
    """List pictures that are the same to the eye.

    In each group the one with most pixels comes first. Look before you delete: groups that are not
    of identical files were made by what the model sees, which may be the same in different pictures.

    \b
    clipsearch duplicates
    clipsearch duplicates --threshold 0.98 --json
    """
    with Index.open(uri, collection=collection, token=token, create=False) as index:
        groups = index.duplicates(threshold=threshold)
    for group in groups:
        click.echo(json.dumps(_as_json(group)) if as_json else _as_text(group))
    if not groups:
        click.echo("no duplicates", err=True)
    elif not as_json:
        identical = sum(group.identical for group in groups)
        click.echo(f"{len(groups):,} groups, {identical:,} of identical files", err=True)


def _as_json(group: DuplicateGroup) -> dict[str, object]:
    files = [
        {"path": str(p.path), "id": p.id, "width": p.width, "height": p.height, "size": p.size}
        for p in group.records
    ]
    return {
        "similarity": round(group.similarity, 6),
        "identical": group.identical,
        "files": files,
    }


def _as_text(group: DuplicateGroup) -> str:
    how = "identical files" if group.identical else f"similarity {group.similarity:.3f} or more"
    lines = [
        f"  {display_path(record.path, Path.cwd())}  {record.width}x{record.height}  {record.size / 1e3:,.0f} kB"
        for record in group.records
    ]
    return "\n".join([how, *lines, ""])
