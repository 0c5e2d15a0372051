"""The warm process from its start to its end: `python -m clipsearch.warm`, settings on its input."""

import contextlib
import json
import logging
import os
import sys
import threading
from pathlib import Path

from clipsearch.daemon.endpoint import made
from clipsearch.daemon.process import Wanted
from clipsearch.daemon.server import Server, handle_signals
from clipsearch.errors import ClipsearchError, MissingCollectionError
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.store.address import locate

log = logging.getLogger("clipsearch.daemon")


def main() -> int:
    """Serve until it is over."""
    fields = json.load(sys.stdin)
    wanted = Wanted(**fields | {"runtime": Runtime(**fields["runtime"])})
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    address = locate(wanted.uri)
    try:
        server = Server(made(address.key), address, wanted.token, idle=wanted.idle)
    except (ClipsearchError, OSError) as error:
        _report(error=str(error))
        return 1
    handle_signals(server)
    log.info("process %s serves %s", os.getpid(), address.shown)
    os.chdir("/")  # holds no folder that somebody may want to unmount
    logging.getLogger("clipsearch").addHandler(_Reporting(logging.INFO))
    loading = _Loading(wanted, server)
    loading.start()
    server.run()
    return 1 if loading.failed else 0


class _Loading(threading.Thread):
    """Uses the store once, as any command would, so that it and its model are ready for the first."""

    def __init__(self, wanted: Wanted, server: Server) -> None:
        super().__init__(name="loading", daemon=True)
        self._wanted = wanted
        self._server = server
        self.failed = False

    def run(self) -> None:
        wanted = self._wanted
        warnings = []
        try:
            with Index.open(
                wanted.uri,
                collection=wanted.collection,
                token=wanted.token,
                create=False,
                **wanted.runtime.options(),
            ) as index:
                try:
                    index.collection.count()
                    index.embed_texts(["warm"])
                except MissingCollectionError:
                    pass  # the first ingestion makes it
                except ClipsearchError as error:
                    warnings.append(str(error))
        except ClipsearchError as error:
            log.warning("%s", error)
            self.failed = True
            _report(error=str(error))
            self._server.leave()
        else:
            log.info("ready")
            _report(warnings=warnings)


class _Reporting(logging.Handler):
    """Tells the one who waits what the library says, such as that a model is being converted."""

    def emit(self, record: logging.LogRecord) -> None:
        # What the other end of its link says is passed on to this one.
        if record.threadName == "loading" and not record.name.startswith("clipsearch.daemon"):
            _report(said=record.getMessage())


def _report(**what: object) -> None:
    """Tell the one who waits, if somebody does; the last word lets go of its pipe."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(what).encode() + b"\n")
    if "said" in what:
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # The store is closed. Threads that are in the middle of native code would crash a proper exit.
    os._exit(code)
