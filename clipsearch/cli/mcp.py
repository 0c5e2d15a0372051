"""`clipsearch mcp`."""

import logging
import os
import signal
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Never

import click

from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_INTERRUPTED
from clipsearch.cli.messages import note
from clipsearch.errors import UsageError
from clipsearch.models.runtime import Runtime

if TYPE_CHECKING:
    from clipsearch.mcp.idle_index import IdleIndex

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@click.command()
@options.store
@options.runtime
def mcp(*, uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Let an assistant search the collection (Model Context Protocol).

    An assistant that supports this protocol starts the command itself and talks to it through
    standard input and output. Its tools search, show and classify images; none of them writes.
    Needs `pip install 'clipsearch[mcp]'`. The guide has settings for common assistants.

    \b
    clipsearch mcp --collection vacation
    """
    if find_spec("mcp") is None:
        raise UsageError("clipsearch mcp needs another package: pip install 'clipsearch[mcp]'")
    # Late: they load the SDK, the store and the models.
    from clipsearch.index import Index
    from clipsearch.mcp.idle_index import IdleIndex
    from clipsearch.mcp.server import create_server

    # The SDK logs on the root logger, which would print our messages a second time.
    logging.getLogger("clipsearch").propagate = False
    open_index = partial(
        Index.open,
        uri,
        collection=collection,
        token=token,
        create=False,
        single_query=True,
        **runtime.options(),
    )
    index = IdleIndex(lambda model: open_index(model=model))
    _handle_signals(index)
    if sys.stdin.isatty():
        note("waiting for an assistant on standard input; Ctrl-C ends")
    try:
        create_server(index).run()
    finally:
        _ignore_signals()
        index.close()


def _handle_signals(index: "IdleIndex") -> None:
    """On a signal, close the store and exit; an exception would wait for standard input to end."""

    def end(*_: Any) -> Never:
        _ignore_signals()
        index.close()
        os._exit(EXIT_INTERRUPTED)

    for number in SIGNALS:
        signal.signal(number, end)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
