"""The daemon's program, `python -m clipsearch.daemon`: reads DaemonOptions as JSON."""

import contextlib
import json
import logging
import os
import sys
import threading
from pathlib import Path

from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.host import load_texts, open_index, warm_up
from clipsearch.daemon.options import DaemonOptions
from clipsearch.daemon.server import Server, handle_signals
from clipsearch.errors import ClipsearchError
from clipsearch.models.runtime import Runtime
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
    failures: list[ClipsearchError] = []

    def load() -> None:
        # Such as that a model is being converted.
        server.relay.send_to(lambda _, text: _report(log=text))
        try:
            with open_index(server, options.collection, options.runtime) as index:
                warnings = warm_up(index)
                log.info("ready")
                _report(warnings=warnings)
                load_texts(index)
        except ClipsearchError as error:
            log.warning("%s", error)
            failures.append(error)
            _report(error=str(error))
            server.stop()

    threading.Thread(target=load, name=LOADING_THREAD, daemon=True).start()
    server.run()
    log.info("stopped")
    return 1 if failures else 0


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
