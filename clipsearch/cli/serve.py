"""`clipsearch serve`."""

import os
import re
import sys
import threading
import webbrowser
from pathlib import Path
from urllib.parse import quote

import click

from clipsearch.cli import options
from clipsearch.consistency import Consistency
from clipsearch.daemon.options import DaemonOptions, parse_duration
from clipsearch.errors import UsageError
from clipsearch.models.runtime import Runtime
from clipsearch.web.settings import DEFAULT_HOST, DEFAULT_PORT, Settings, is_loopback

TOKEN_LENGTH = 8
"""A shorter one could be found by trying."""


@click.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--token",
    "access_token",
    envvar="CLIPSEARCH_SERVE_TOKEN",
    show_envvar=True,
    help="Secret that every client must give. Needed for a --host that other machines reach.",
)
@click.option("--allow-write", is_flag=True, help="Let clients start ingestions.")
@click.option(
    "--root",
    "roots",
    type=options.FOLDER,
    multiple=True,
    metavar="FOLDER",
    help="With --allow-write: a folder that clients may ingest, beside those of the collection. "
    "Repeatable.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Another host name under which browsers reach the page, as behind a proxy. Repeatable.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--model-ttl",
    metavar="TIME",
    help="Unload the model when it was not used for this long: 10m, 2h.  [default: keep it]",
)
@options.consistency
@options.served_store
@options.runtime
def serve(
    *,
    host: str,
    port: int,
    access_token: str | None,
    allow_write: bool,
    roots: tuple[Path, ...],
    allowed_hosts: tuple[str, ...],
    open_browser: bool,
    model_ttl: str | None,
    consistency: Consistency,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Search a collection in the browser, and from programs over HTTP.

    Serves a page and an API until it is stopped by Ctrl-C or SIGTERM. Other commands use the
    store and the model through it, as through the daemon of `clipsearch warm`, which it replaces.

    \b
    clipsearch serve --open
    clipsearch serve --host 0.0.0.0 --token "$(openssl rand -hex 16)"
    """
    check_access(host, access_token)
    settings = Settings(
        host,
        port,
        access_token,
        frozenset(allowed_hosts),
        allow_write,
        tuple(root.absolute() for root in roots),
    )
    try:
        from clipsearch.web import service  # late: needs the web extra
    except ImportError as error:
        raise UsageError(
            f"clipsearch serve needs another package ({error}): pip install 'clipsearch[web]'"
        ) from error

    def on_ready(url: str) -> None:
        # Not into the log of a service. The terminal is the user's.
        secret = f"/?token={quote(access_token)}" if access_token and sys.stderr.isatty() else ""
        click.echo(f"serving {collection} at {url}{secret}", err=True)
        # Without the token: other users can see the arguments of the browser.
        if open_browser and not webbrowser.open(url):
            click.echo("no browser was found", err=True)

    service.serve(
        DaemonOptions(uri, token, collection, runtime, consistency=consistency),
        settings,
        model_ttl=None if model_ttl is None else parse_duration(model_ttl),
        on_ready=on_ready,
    )
    if threading.active_count() > 1:  # threads within native code would crash a normal exit
        os._exit(0)


def check_access(host: str, token: str | None) -> None:
    """Raise UsageError if the token is too weak, or missing where other machines can connect."""
    if token is None:
        if not is_loopback(host):
            raise UsageError(
                f"other machines can connect to {host}: give a secret for them with --token"
            )
    elif re.fullmatch(rf"[!-~]{{{TOKEN_LENGTH},}}", token) is None:
        raise UsageError(
            f"the token must have at least {TOKEN_LENGTH} characters, all visible ASCII: "
            "`openssl rand -hex 16` makes one"
        )
