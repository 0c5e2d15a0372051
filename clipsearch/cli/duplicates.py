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
    help="Minimum cosine similarity of two duplicates.",
)
@options.as_json
@options.store
def duplicates(
    *, threshold: float, as_json: bool, uri: str, token: str | None, collection: str
) -> None:
    """List groups of identical and near-identical images.

    The image with the most pixels comes first in each group. Check the images before you delete
    any: unless a group is marked as identical files, only its embeddings are similar.

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
    return {
        "similarity": round(group.similarity, 6),
        "identical": group.identical,
        "files": [
            {
                "path": str(record.path),
                "id": record.id,
                "width": record.width,
                "height": record.height,
                "size": record.size,
            }
            for record in group.records
        ],
    }


def _as_text(group: DuplicateGroup) -> str:
    kind = "identical files" if group.identical else f"similarity {group.similarity:.3f} or more"
    lines = [
        f"  {display_path(record.path, Path.cwd())}"
        f"  {record.width}x{record.height}  {record.size / 1e3:,.0f} kB"
        for record in group.records
    ]
    return "\n".join([kind, *lines, ""])
