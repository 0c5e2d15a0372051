"""The daemon's program, `python -m clipsearch.daemon`: reads DaemonOptions as JSON."""

import contextlib
import json
import logging
import os
import sys
import threading
from pathlib import Path

from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.options import DaemonOptions
from clipsearch.daemon.server import Server, handle_signals
from clipsearch.errors import ClipsearchError, MissingCollectionError
from clipsearch.models.runtime import Runtime
from clipsearch.session import Session
from clipsearch.uri import parse_uri

LOADING_THREAD = "loading"

log = logging.getLogger("clipsearch.daemon")


def main() -> int:
    """Serve until the daemon is stopped or idle; return the exit status."""
    fields = json.load(sys.stdin)
    options = DaemonOptions(**fields | {"runtime": Runtime(**fields["runtime"])})
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    uri = parse_uri(options.uri)
    try:
        server = Server(create_endpoint(uri.key), uri, options.token, idle=options.idle)
    except (ClipsearchError, OSError) as error:
        _report(error=str(error))
        return 1
    handle_signals(server)
    log.info("process %s serves %s", os.getpid(), uri.display)
    os.chdir("/")  # or a file system could not be unmounted
    logging.getLogger("clipsearch").addHandler(_LogReporter(logging.INFO))
    loader = _Loader(options, server)
    loader.start()
    server.run()
    log.info("stopped")
    return 1 if loader.has_failed else 0


class _Loader(threading.Thread):
    """Uses the store and the model once, as a command does, so that they are ready."""

    def __init__(self, options: DaemonOptions, server: Server) -> None:
        super().__init__(name=LOADING_THREAD, daemon=True)
        self._options = options
        self._server = server
        self.has_failed = False

    def run(self) -> None:
        options = self._options
        warnings = []
        try:
            with Session.open(
                options.uri,
                collection=options.collection,
                token=options.token,
                create=False,
                **options.runtime.options(),
            ) as session:
                try:
                    session.collection.count()
                    session.encoder.encode_texts(["a"])
                except MissingCollectionError:
                    pass  # the first ingestion creates it
                except ClipsearchError as error:
                    warnings.append(str(error))
        except ClipsearchError as error:
            log.warning("%s", error)
            self.has_failed = True
            _report(error=str(error))
            self._server.stop()
        else:
            log.info("ready")
            _report(warnings=warnings)


class _LogReporter(logging.Handler):
    """Reports log messages of the library, such as that a model is being converted."""

    def emit(self, record: logging.LogRecord) -> None:
        # Messages of the server's threads reach this thread, too, through its own session.
        if record.threadName == LOADING_THREAD and not record.name.startswith("clipsearch.daemon"):
            _report(log=record.getMessage())


def _report(**report: object) -> None:
    """Send a report to the command that waits, if any; all but logs are the last one."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(report).encode() + b"\n")
    if "log" in report:
        return
    with Path(os.devnull).open("wb") as devnull:  # closes the command's pipe
        os.dup2(devnull.fileno(), 1)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # The store is closed. Threads within native code would crash a normal exit.
    os._exit(code)
