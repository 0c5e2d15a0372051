"""The temporary folder of a Milvus Lite process: its socket and its own files."""

import os
import tempfile
from pathlib import Path

from clipsearch.temporary_folder import PREFIX, TemporaryFolder

SOCKET_BYTES = 100
"""Maximum length of a Unix socket's path: 108 bytes on Linux, 104 on macOS."""


def lite_folder() -> TemporaryFolder:
    """Create a private folder with a path short enough for a socket in it."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) + len(PREFIX) + 24 > SOCKET_BYTES:
        parent = "/tmp"
    return TemporaryFolder(Path(parent))
