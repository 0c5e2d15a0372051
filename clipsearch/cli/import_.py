"""`clipsearch import`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from clipsearch import config
from clipsearch.cli import options
from clipsearch.cli.failures import show_failures
from clipsearch.cli.index_wait import wait_for_index
from clipsearch.cli.messages import is_quiet, note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.session import open_store
from clipsearch.transfer.column_mapping import ColumnChoice
from clipsearch.transfer.export_facts import ExportFacts
from clipsearch.transfer.import_files import find_exported, import_exported
from clipsearch.transfer.row_import import ImportReport


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...", type=options.PATH)
@click.option(
    "--model",
    metavar="NAME",
    help="The model that made the vectors: required for files of other programs.",
)
@click.option("--vector-column", metavar="NAME", help="Column of vectors.  [default: the only one]")
@click.option(
    "--path-column",
    metavar="NAME",
    help="Column of paths or URIs of the images.  [default: path, image_path, filename, …]",
)
@click.option(
    "--id-column", metavar="NAME", help="Column that names the images if there are no paths."
)
@click.option(
    "--root",
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of relative paths.  [default: the current folder]",
)
@click.option(
    "-c",
    "--collection",
    envvar="CLIPSEARCH_COLLECTION",
    metavar="NAME",
    help="Name of the collection to write. [env: CLIPSEARCH_COLLECTION]  [default: the name that "
    f"was exported, or {config.COLLECTION}]",
)
@options.as_json
@options.uri
def import_(
    *,
    paths: tuple[Path, ...],
    model: str | None,
    vector_column: str | None,
    path_column: str | None,
    id_column: str | None,
    root: Path | None,
    collection: str | None,
    as_json: bool,
    uri: str,
    token: str | None,
) -> int:
    """Read a collection, or embeddings made elsewhere, from Parquet files.

    Files of `clipsearch export` are restored as they were. Files of other programs need a column
    of vectors, one of paths, and --model, which must be the model that made the vectors: queries
    are embedded with it. Other columns are kept as metadata. Rows that are in the collection
    already are not written again, so run the command again after an interruption. Needs `pip
    install 'clipsearch[scale]'`.

    The exit code is 3 if some rows could not be stored.

    \b
    clipsearch import images.parquet
    clipsearch import embeddings.parquet --model pocket --path-column file --root ~/Pictures
    """
    files, facts = find_exported(paths)
    choice = ColumnChoice(root, vector_column, path_column, id_column)
    if facts:
        _require_no_choice(choice, model, facts[0])
        name = collection or facts[0].collection
        with open_store(uri, token=token, consistency="strong") as store:
            with progress_bar("import") as bar:
                report = import_exported(files, facts, store, name, bar)
            wait_for_index(Index(store, name), quiet=is_quiet())
    else:
        if model is None:
            raise UsageError("which model made these vectors? Name it with --model")
        with Index.open(
            uri, collection=collection, model=model, token=token, consistency="strong"
        ) as index:
            with progress_bar("import") as bar:
                report = index.import_embeddings(*paths, columns=choice, progress=bar)
            wait_for_index(index, quiet=is_quiet())
    return _show(report, as_json=as_json)


def _require_no_choice(choice: ColumnChoice, model: str | None, facts: ExportFacts) -> None:
    """Raise UsageError if options say something else than exported files."""
    if choice != ColumnChoice():
        raise UsageError(
            "clipsearch exported these files and knows their columns: leave out --vector-column, "
            "--path-column, --id-column and --root"
        )
    if model is not None:
        ref = registry.parse_model_name(model)
        if facts.model.name not in (ref.name, ref.open_clip_name):
            raise UsageError(
                f"the files hold vectors of {facts.model.name}, not of {model}: leave --model out"
            )


def _show(report: ImportReport, *, as_json: bool) -> int:
    if as_json:
        failures = [f"{one.path}: {one.reason}" for one in report.failures]
        click.echo(
            json.dumps(asdict(report) | {"failures": failures, "unused": sorted(report.unused)})
        )
    counts = {
        "new": report.stored,
        "replaced": report.replaced,
        "unchanged": report.unchanged,
        "failed": report.failed,
    }
    note(", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "no rows")
    if report.normalized:
        note(f"{report.normalized:,} vectors did not have length 1 and were scaled")
    if report.unused:
        note(f"columns that cannot be kept: {', '.join(sorted(report.unused))}")
    exit_code = show_failures(report.failures, count=False)
    if (more := report.failed - len(report.failures)) > 0:
        note(f"… and {more:,} more failed")
    return exit_code
