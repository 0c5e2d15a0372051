"""Messages on the socket."""

import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clipsearch.daemon import pickles
from clipsearch.daemon.connection import DaemonLostError
from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.session import daemon_of, open_store
from clipsearch.uri import parse_uri
from tests.helpers.daemons import NEEDS_SOCKETS, serving, uses_daemon

pytestmark = NEEDS_SOCKETS


@pytest.mark.parametrize(
    "noise", [b"", b"\xff" * 9, b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_invalid_messages_do_no_harm(path: Path, noise: bytes) -> None:
    with serving(path), open_store(path) as store:
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(create_endpoint(parse_uri(path).key).socket))
            visitor.sendall(noise)
        assert store.collection("photos").count() == 7
        assert uses_daemon(store)


def test_unknown_calls_are_refused(path: Path) -> None:
    with serving(path), open_store(path) as store:
        daemon = daemon_of(store)
        assert daemon
        for target, method in (("store", "close"), ("store", "__init__"), ("encoder", "x")):
            with pytest.raises(DaemonLostError):
                daemon.call(target, method)


ARRAYS = arrays.arrays(np.float32, arrays.array_shapes(max_dims=3, min_side=0, max_side=5))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=20) | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values=st.lists(VALUES, min_size=1, max_size=3))
def test_values_survive_the_protocol(values: list[object]) -> None:
    here, there = socket.socketpair()
    with here, there:

        def send_all() -> None:
            for value in values:
                pickles.send(here, value)

        sender = threading.Thread(target=send_all)
        sender.start()
        received = [pickles.receive(there) for _ in values]
        sender.join()
        here.close()
        with pytest.raises(EOFError):
            pickles.receive(there)
    assert repr(received) == repr(values)
