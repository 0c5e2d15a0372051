"""A daemon without a model, to be killed: `python -m tests.torture.daemon STORE`."""

import sys

from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.server import Server, handle_signals
from clipsearch.uri import parse_uri
from tests.torture.victim import announce_lite

if __name__ == "__main__":
    announce_lite()
    uri = parse_uri(sys.argv[1])
    server = Server(create_endpoint(uri.key), uri, None, idle=60)
    handle_signals(server)
    print("listens", flush=True)
    server.run()
