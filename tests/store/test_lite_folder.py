"""The folder of Milvus Lite has a path that is short enough for its socket."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from clipsearch.store.milvus_lite.folder import SOCKET_BYTES, lite_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Milvus Lite 2.5 has no Windows")


def test_a_short_path_is_chosen_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = lite_folder()
    assert len(os.fsencode(folder.path / "100")) <= SOCKET_BYTES
    folder.remove()
