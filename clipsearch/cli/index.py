"""`clipsearch index`."""

import json
from dataclasses import asdict

import click

from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.render.index_table import index_lines
from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.index.choice import CHOICES
from clipsearch.store.index.report import report_index
from ingest.index_switch import SwitchReport, replace_by_copy, replace_in_place

SWITCH = click.Choice(["on", "off"])


@click.command()
@click.option(
    "--to",
    "kind",
    type=click.Choice(CHOICES),
    help="Replace the index by one of another kind; auto chooses by the number of images.",
)
@click.option("--rebuild", is_flag=True, help="Make the index again, of the kind that it has.")
@click.option(
    "--in-place",
    is_flag=True,
    help="With --to or --rebuild: build it over the same rows. Needs no room for a copy, but "
    "searches fail until the server has loaded the collection again.",
)
@click.option(
    "--accept-worse",
    is_flag=True,
    help="With --to or --rebuild: use the new index also if it finds fewer of the nearest images.",
)
@click.option(
    "--mmap",
    type=SWITCH,
    help="on: map the data from disk; off: hold it in memory. Milvus 2.4 or newer.",
)
@click.option(
    "--warmup",
    type=SWITCH,
    help="on: load the index before the first search; off: when a search needs it. Milvus 2.6.4 or "
    "newer.",
)
@options.as_json
@options.store
def index(
    *,
    kind: str | None,
    rebuild: bool,
    in_place: bool,
    accept_worse: bool,
    mmap: str | None,
    warmup: str | None,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
) -> int:
    """Show the vector index of a collection, or replace it.

    The rows are copied into a collection with the new index. The old one answers until the new one
    is complete and finds as many of the nearest images.

    \b
    clipsearch index --uri http://127.0.0.1:19530
    clipsearch index --to hnsw_sq8
    clipsearch index --mmap on
    """
    if (in_place or accept_worse) and not (kind or rebuild):
        raise UsageError("--in-place and --accept-worse need --to or --rebuild")
    if kind and rebuild:
        raise UsageError("--to and --rebuild exclude each other: --rebuild keeps the kind")
    exit_code = 0
    with open_store(uri, token=token, create=False) as store:
        _require_options(store, mmap=mmap, warmup=warmup)
        if kind or rebuild:
            if in_place:
                report = replace_in_place(store, collection, kind, progress_bar)
            else:
                report = replace_by_copy(
                    store, collection, kind, accept_worse=accept_worse, open_progress=progress_bar
                )
            exit_code = EXIT_ERROR if _show_switch(report) and not accept_worse else 0
        index = store.collection(collection).index
        if mmap or warmup:
            index.set_options(mmap=_flag(mmap), warmup=_flag(warmup))
        shown = report_index(store.collection(collection), store.backend.capabilities())
    if as_json:
        switch = {"switch": asdict(report)} if kind or rebuild else {}
        click.echo(json.dumps(shown.as_json() | switch))
    else:
        for line in index_lines(shown):
            click.echo(line)
    return exit_code


def _require_options(store: Store, *, mmap: str | None, warmup: str | None) -> None:
    """Raise UsageError on a setting that this Milvus does not have."""
    capabilities = store.backend.capabilities()
    for name, value, has, since in (
        ("mmap", mmap, capabilities.mmap, "2.4"),
        ("warmup", warmup, capabilities.warmup, "2.6.4"),
    ):
        if value and not has:
            raise UsageError(
                f"--{name} needs a Milvus server of version {since} or newer; {store.uri} is "
                f"{capabilities.server}"
            )


def _flag(value: str | None) -> bool | None:
    return None if value is None else value == "on"


def _show_switch(report: SwitchReport) -> bool:
    """Describe what was replaced; tell whether the new index is worse."""
    offline = report.offline_seconds
    note(
        f"{report.before} → {report.after} in {report.seconds:.0f} s"
        + (f", of which searches failed for {offline:.0f} s" if offline else "")
        + f"; recall@10 {report.recall_before:.3f} → {report.recall_after:.3f}"
    )
    if report.is_worse:
        note(
            "the new index finds fewer of the nearest images: `clipsearch index --to "
            f"{report.before}` takes the old one back"
        )
    return report.is_worse
