"""Visitors of a real server, some of whom hang up; ten minutes of it are a benchmark."""

import sys
from pathlib import Path

import pytest

from benchmarks.speed.http_load import serving
from benchmarks.speed.mixed_load import MixedLoad
from benchmarks.speed.serve import stored_ids
from benchmarks.speed.serve_load import open_files, stop_within_requests
from tests.helpers.fakes import draw

SECONDS = 8


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_visitors_who_hang_up_leave_no_trace(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        size = (300 + 20 * number, 200)
        draw(tmp_path / "images" / f"{number}.jpg", (8 * number, 99, 255 - 8 * number), size=size)
    file = tmp_path / "a.db"
    ids = stored_ids(tmp_path / "images", file, model="pocket")
    upload = (tmp_path / "images" / "3.jpg").read_bytes()
    with serving(file) as server:
        load = MixedLoad(server.url, ids, upload, visitors=4)
        load.run(SECONDS)
        assert load.errors == []
        assert load.done.total() > 50
        assert open_files(server.process.pid) < 100
        assert stop_within_requests(server) == []
    assert "Traceback" not in capfd.readouterr().err
