"""`clipsearch warm`."""

import json
import time
from dataclasses import asdict

import click

from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.daemon import process
from clipsearch.daemon.options import DEFAULT_IDLE_TIMEOUT, DaemonOptions, parse_duration
from clipsearch.daemon.process import DaemonStatus
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.models.runtime import Runtime


@click.command()
@click.option(
    "--idle-timeout",
    metavar="TIME",
    default=DEFAULT_IDLE_TIMEOUT,
    show_default=True,
    help="How long the daemon runs after its last use: 90s, 30m, 2h, 1d.",
)
@click.option("--stop", is_flag=True, help="Stop the daemon.")
@click.option("--status", is_flag=True, help="Show the daemon; exit with 1 if none is running.")
@options.as_json
@options.store
@options.runtime
def warm(
    *,
    idle_timeout: str,
    stop: bool,
    status: bool,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> int:
    """Keep the store and the model in memory in a daemon, for fast queries.

    The other commands and `Index.open` use a running daemon, several at the same time. It stops
    when it has been idle for --idle-timeout (a plain number is minutes). With CLIPSEARCH_WARM=30m
    in the environment, query, similar and ingest start it.

    \b
    clipsearch warm
    clipsearch warm --idle-timeout 8h
    clipsearch warm --stop
    """
    if stop and status:
        raise UsageError("--stop and --status exclude each other")
    if stop:
        stopped = process.stop(uri)
        click.echo("daemon stopped" if stopped else "no daemon is running", err=True)
        return 0
    if status:
        state = process.read_status(uri)
    else:
        daemon_options = DaemonOptions(
            uri, token, collection, runtime, parse_duration(idle_timeout)
        )
        state = process.start(daemon_options)
    _show(state, as_json=as_json)
    return 0 if state else EXIT_ERROR


def _show(state: DaemonStatus | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"running": state is not None, **(asdict(state) if state else {})}))
    elif state is None:
        click.echo("no daemon is running")
    else:
        since = time.strftime("%H:%M", time.localtime(state.since))
        models = f", {', '.join(map(escape_control, state.models))} loaded" if state.models else ""
        name = "daemon" if state.url is None else "clipsearch serve"
        click.echo(f"{name} running since {since}: process {state.pid}{models}; {_end(state)}")


def _end(state: DaemonStatus) -> str:
    if state.idle is None:
        return f"{escape_control(state.url or '')}, until it is stopped"
    if state.left is None:
        return f"in use, stops {_duration(state.idle)} after the last use"
    return f"stops in {_duration(state.left)} unless it is used"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} seconds"
