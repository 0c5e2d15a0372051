"""Start-up optimizations: garbage collection and a lighter import of pymilvus.

Apart from `ignore_milvus_uri`, everything here only saves time. Measured on a cold query with a
filter, `pocket` and 300 images, 17 runs by turns on two cores: `clipsearch query` takes 0.81 s of
wall time and 1.08 s of processor time (medians). Without

- the stand-ins for pandas and requests: 56 ms and 157 ms more (`import_pymilvus`)
- the switch that skips scipy: 74 ms and 32 ms more (`import_pymilvus`)
- freezing the garbage collector at exit: 111 ms and 121 ms more (`reduce_garbage_collection`; 25
  runs on an idle machine, as the next line)
- rarer garbage collection: 37 ms and 51 ms more (`reduce_garbage_collection`)
- loading the collection early: nothing with 300 images; 200 ms more of 1.8 s with 30,000
  (`begin_loading`)

A query through the daemon takes 79 ms of wall time and 61 ms of processor time in the command
(minima of 30 runs, two idle cores, Python 3.11; a bare `python -c pass` takes 10 ms and
10 ms, `import click` with json and socket 40 ms and 39 ms). It would take

- with numpy: 44 ms and 82 ms more (nothing that prints hits imports it)
- with the usual garbage collection: 11 ms and 13 ms more (`reduce_garbage_collection`)
- with ctypes and platform, pickle, csv, secrets, subprocess: 2 to 5 ms more each (imported late)
"""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

REPLACED = ("pandas", "pandas.api", "pandas.api.types", "requests")
"""Modules that pymilvus imports for data frames and cloud services, which nothing here uses."""

LOAD_SECONDS = 300.0
MAX_NAME_BYTES = 127
"""Longest text whose length takes one byte in a protobuf message."""


def reduce_garbage_collection() -> None:
    """Collect garbage rarely in this process, which ends soon, and not at all at its end.

    Importing modules creates many objects and hardly any garbage.
    """
    gc.set_threshold(200_000, 20, 20)
    # torch's compiler counts its objects at exit, and warns about those that were never freed.
    atexit.register(lambda: None if "torch" in sys.modules else gc.freeze())


def ignore_milvus_uri() -> None:
    """Clear MILVUS_URI, unless pymilvus is imported already; call it before starting threads.

    pymilvus fails to import if the variable names a file, as in many tutorials. It also reads the
    variable from a `.env` file, unless it is set.
    """
    if "pymilvus" not in sys.modules and os.environ.get("MILVUS_URI") != "":
        os.environ["MILVUS_URI"] = ""


def import_pymilvus() -> Any:
    """Import pymilvus without pandas, requests and scipy, and silence its log and gRPC's."""
    if "pymilvus" not in sys.modules:
        ignore_milvus_uri()
        # gRPC logs each handshake that fails; the error of the call says so, too.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        with _stand_ins():
            import pymilvus
        # It checks each query for a sparse matrix, and imports scipy for that. Ours are dense.
        helper = getattr(pymilvus.client.utils, "SciPyHelper", None)
        if helper is not None:
            helper._checked = True
    else:
        import pymilvus
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    return pymilvus


def begin_loading(address: str, collection: str) -> Any:
    """Make Milvus Lite load a collection while pymilvus is being imported.

    Sends one hand-encoded call and ignores its response: pymilvus repeats the call, and all others
    wait for it. The third field of LoadCollectionRequest in milvus.proto is the name. The
    collection need not exist. Returns the gRPC channel; closing it ends the call.
    """
    grpc: Any = importlib.import_module("grpc")
    name = collection.encode()[:MAX_NAME_BYTES]
    channel = grpc.insecure_channel(address)
    load = channel.unary_unary("/milvus.proto.milvus.MilvusService/LoadCollection")
    load.future(b"\x1a" + bytes([len(name)]) + name, timeout=LOAD_SECONDS)
    return channel


class _StandIn(ModuleType):
    """A placeholder for a module while one thread imports pymilvus.

    That thread gets empty classes and functions. Any other thread gets the real module at once,
    and functions that were imported from the placeholder call the real ones later.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._importing_thread: int | None = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if threading.get_ident() != self._importing_thread:
            return getattr(self._real_module(), name)
        if name[0].isupper():
            return type(name, (), {})  # a class, for annotations

        def function(*arguments: Any, **options: Any) -> Any:
            return getattr(self._real_module(), name)(*arguments, **options)

        return function

    def end(self) -> None:
        """Be the real module for every thread from now on."""
        self._importing_thread = None

    def _real_module(self) -> ModuleType:
        _remove_stand_ins()
        return importlib.import_module(self.__name__)


@contextmanager
def _stand_ins() -> Iterator[None]:
    imported = {"pandas", "requests"} & sys.modules.keys()
    stand_ins = [] if imported else [_StandIn(name) for name in REPLACED]
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        yield
    finally:
        _remove_stand_ins()
        for module in stand_ins:
            module.end()


def _remove_stand_ins() -> None:
    for name in REPLACED:
        if isinstance(sys.modules.get(name), _StandIn):
            sys.modules.pop(name, None)
