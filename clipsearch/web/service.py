"""`clipsearch serve`: the daemon of a store, which also listens for HTTP."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from clipsearch.daemon.endpoint import create_endpoint, is_supported
from clipsearch.daemon.host import load_texts, open_index, warm_up
from clipsearch.daemon.options import DaemonOptions
from clipsearch.daemon.process import replace_daemon
from clipsearch.daemon.server import Server, handle_signals
from clipsearch.errors import ClipsearchError
from clipsearch.uri import parse_uri
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.http_server import HttpServer, bind, url_of
from clipsearch.web.settings import Settings

log = logging.getLogger("clipsearch")


def serve(
    options: DaemonOptions,
    settings: Settings,
    *,
    model_ttl: float | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; return when the store is closed.

    A running daemon of the store is replaced. `on_ready` gets the URL once the model is loaded,
    in another thread. Raises UsageError if the port is in use; StoreError if the store cannot be
    opened, is served already or is written through its daemon.
    """
    listener = bind(settings.host, settings.port)
    uri = parse_uri(options.uri)
    replace_daemon(options.uri)
    endpoint = create_endpoint(uri.key) if is_supported() else None
    url = url_of(listener)
    server = Server(endpoint, uri, options.token, idle=None, model_ttl=model_ttl, url=url)
    handle_signals(server)
    open_collection = partial(
        open_index,
        server,
        options.collection,
        options.runtime,
        create=settings.allow_write,
        consistency=options.consistency,
    )
    engine = Engine(open_collection, settings.limits, encoder_batches=server.encoders.count_batches)
    http = HttpServer(create_app(engine, settings), listener)
    failures: list[ClipsearchError] = []

    def start() -> None:
        try:
            with open_collection() as index:
                http.start()
                if index.find_collection() is None:
                    log.warning("there is no collection %r yet", index.name)
                for warning in warm_up(index):
                    log.warning("%s", warning)  # the images can be shown without their model
                engine.is_ready = True
                on_ready(url)
                load_texts(index)
        except ClipsearchError as error:
            if not server.is_stopping:
                failures.append(error)
                server.stop()

    def finish() -> None:
        engine.is_stopping = True
        http.stop()

    threading.Thread(target=start, daemon=True).start()
    server.run(before_close=finish)
    if failures:
        raise failures[0]
