"""pymilvus, imported without what it brings along and nothing here needs.

It imports pandas for data frames, requests for the addresses of a cloud, and scipy at the first
query, which could be sparse: about a quarter of a second of every cold query. While it is imported
stand-ins take their places, which become the real ones when they are used after all.
"""

import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

SPARED = ("pandas", "pandas.api", "pandas.api.types", "requests")


def pymilvus() -> Any:
    """The module, imported at the first call, its log of tracebacks off."""
    if "pymilvus" not in sys.modules:
        with _without_address(), _stand_ins():
            import pymilvus
        helper = getattr(pymilvus.client.utils, "SciPyHelper", None)
        if helper is not None:
            helper._checked = True  # no query here is sparse
    else:
        import pymilvus
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    return pymilvus


class _StandIn(ModuleType):
    """A module for the thread that imports pymilvus: names without meaning, until that is done.

    For all others, and later for all, it is what its name says.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._importer: int | None = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if threading.get_ident() != self._importer:
            return getattr(self._real(), name)
        if name[0].isupper():
            return type(name, (), {})  # a class, for annotations

        def function(*arguments: Any, **options: Any) -> Any:
            return getattr(self._real(), name)(*arguments, **options)

        return function

    def done(self) -> None:
        """No more names without meaning."""
        self._importer = None

    def _real(self) -> ModuleType:
        _step_aside()
        return importlib.import_module(self.__name__)


@contextmanager
def _stand_ins() -> Iterator[None]:
    spared = [] if {"pandas", "requests"} & sys.modules.keys() else [_StandIn(n) for n in SPARED]
    sys.modules.update({module.__name__: module for module in spared})
    try:
        yield
    finally:
        _step_aside()
        for module in spared:
            module.done()


def _step_aside() -> None:
    for name in SPARED:
        if isinstance(sys.modules.get(name), _StandIn):
            sys.modules.pop(name, None)


@contextmanager
def _without_address() -> Iterator[None]:
    """It refuses to be imported where MILVUS_URI names a file, as many tutorials have it."""
    before = os.environ.get("MILVUS_URI")
    os.environ["MILVUS_URI"] = ""
    try:
        yield
    finally:
        del os.environ["MILVUS_URI"]
        if before is not None:
            os.environ["MILVUS_URI"] = before
