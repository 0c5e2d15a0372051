"""`clipsearch warm`."""

import json
import time
from dataclasses import asdict

import click

from clipsearch.cli import options
from clipsearch.daemon import process
from clipsearch.daemon.process import State, Wanted
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.models.runtime import Runtime


@click.command()
@click.option(
    "--for", "span", metavar="TIME", default="30m", show_default=True,
    help="How long it stays after its last use: 90s, 30m, 2h, 1d.",
)  # fmt: skip
@click.option("--stop", is_flag=True, help="End it now.")
@click.option("--status", is_flag=True, help="Tell whether it runs; exit with 1 if not.")
@options.as_json
@options.store
@options.runtime
def warm(
    *,
    span: str,
    stop: bool,
    status: bool,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> int:
    """Keep the store open and its model loaded in the background, for quick queries.

    While it runs, the other commands and `Index.open` use it by themselves, several at once. It ends
    when nobody has used it for a while. CLIPSEARCH_WARM=30m makes every command start it.

    \b
    clipsearch warm
    clipsearch warm --for 8h
    clipsearch warm --stop
    """
    if stop and status:
        raise UsageError("--stop and --status exclude each other")
    if stop:
        ended = process.stop(uri)
        click.echo("ended" if ended else "there was none", err=True)
        return 0
    if status:
        state = process.status(uri)
    else:
        wanted = Wanted(uri, token, collection, runtime, process.seconds(span))
        state = process.start(wanted)
    _show(state, as_json=as_json)
    return 0 if state else 1


def _show(state: State | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"warm": state is not None, **(asdict(state) if state else {})}))
    elif state is None:
        click.echo("not warm")
    else:
        since = time.strftime("%H:%M", time.localtime(state.since))
        models = f", {', '.join(map(escape_control, state.models))} loaded" if state.models else ""
        used = (
            f"in use, ends {_span(state.idle)} after that"
            if state.left is None
            else f"ends in {_span(state.left)} unless it is used"
        )
        click.echo(f"warm since {since}: process {state.pid}{models}; {used}")


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} seconds"
