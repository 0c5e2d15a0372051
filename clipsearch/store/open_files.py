"""The limit of this process's open files, as `ulimit -n` sets it.

A gRPC that gets no file descriptor aborts the process, and Milvus Lite names a wrong reason. So
who connects to a store checks first.
"""

import os

from clipsearch.errors import StoreError, of_process

NEEDED = 12
"""Files that a connection, the imports of pymilvus and a model open, and a few images."""


def require_open_files(uri: str) -> None:
    """Raise StoreError, naming the store, if this process cannot open NEEDED files more."""
    opened: list[int] = []
    try:
        opened.append(os.open(os.devnull, os.O_RDONLY))
        while len(opened) < NEEDED:
            opened.append(os.dup(opened[0]))
    except OSError as error:
        if not of_process(error):
            raise
        raise StoreError(
            f"too many open files to open {uri}: this process can open {len(opened)} more and "
            f"needs {NEEDED}: raise `ulimit -n`"
        ) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)
