"""A few kills of each kind with a fixed seed; `python -m tests.torture` does hundreds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.store.milvus_lite.native_server import native_library
from tests.helpers.milvus_binary import FORGETS_SOON, BundledServer, UnavailableError
from tests.torture.kills import FAULTS, WEIGHTS, Torture
from tests.torture.process import ROOT
from tests.torture.servers import Servers

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")


def test_kills_lose_nothing(tmp_path: Path) -> None:
    torture = Torture(tmp_path, images=150, seed=7)
    for operation in (*WEIGHTS, *WEIGHTS):
        torture.kill([operation])
    result = torture.result()
    assert {fault: result[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), result
    assert result["kills"] == 2 * len(WEIGHTS)
    assert int(str(result["rows_checked"])) > 2_000


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("commands", ["--operation", "ingest", "--operation", "tag", "--operation", "demo"]),
        ("texts", []),
        ("reindex", ["--operation", "model", "--operation", "drop_old"]),
        ("models", ["--operation", "fp32", "--operation", "distill"]),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_commands_and_conversions_are_completed(module: str, options: list[str]) -> None:
    if "demo" in options:
        pytest.importorskip("skimage", reason="the sample images come with scikit-image")
    if module == "models":
        pytest.importorskip("open_clip", reason="needs open_clip")
    command = [sys.executable, "-m", f"tests.torture.{module}", "--kills", "5", "--seed", "3"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["kills"] >= 5


def test_a_server_restarts_under_an_ingestion_and_an_open_index(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    cache = pytestconfig.cache
    unpacked = cache.mkdir("milvus-2.3.5") if cache else tmp_path / "bin"
    try:
        server = BundledServer(unpacked, tmp_path / "server", settings=FORGETS_SOON)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    try:
        servers = Servers(server, tmp_path, seed=3)
        servers.restart()
    finally:
        server.close()
    result = servers.tally.result()
    assert not servers.tally.has_failed, result
    assert result["restarts"] == 1
    assert result["rows_checked"] > 300
