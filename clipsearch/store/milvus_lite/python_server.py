"""Milvus Lite 3, the Python version, in threads of this process."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipsearch.errors import StoreError, describe_error
from clipsearch.store.milvus_lite.write_guard import WriteGuard


class PythonServer:
    """Milvus Lite 3: threads of this process that serve a folder on a port of 127.0.0.1."""

    def __init__(self, path: Path) -> None:
        """Start it on this existing or new folder; raise StoreError if that fails."""
        try:
            # Undocumented, but pymilvus starts it in the same way: a test guards the names.
            manager: Any = importlib.import_module("milvus_lite.server_manager")
        except ImportError as error:
            raise StoreError(
                f"{path} cannot be opened without Milvus Lite: `pip install milvus-lite` "
                f"({describe_error(error)})"
            ) from error
        self.path = path
        self._manager = manager.server_manager_instance
        # It logs tracebacks of errors that are translated here.
        logging.getLogger("milvus_lite").setLevel(logging.CRITICAL + 1)
        address = self._manager.start_and_get_uri(str(path))
        if address is None:
            raise StoreError(
                f"{path} cannot be opened: another process has it open, or it is damaged"
            )
        self.address: str = address
        self.guard = WriteGuard(path)
        self.guard.opened()

    @contextmanager
    def unstarted(self) -> Iterator[bool]:
        """Yield False: it runs."""
        yield False

    def is_alive(self) -> bool:
        """Return True: it runs in this process."""
        return True

    def has_ended(self) -> bool:
        """Return False: it runs in this process."""
        return False

    def end(self) -> None:
        """Do nothing: it cannot be ended alone."""

    def read_log(self) -> str:
        """Return nothing: its errors are complete."""
        return ""

    def close(self) -> None:
        """Stop its threads and unlock the folder."""
        self._manager.release_server(str(self.path))
