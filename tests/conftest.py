"""Fixtures that many tests share."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from clipsearch.images.memory import default_limit, set_max_memory
from clipsearch.store import Collection, Store
from tests.helpers import offline
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.milvus_server import SERVED_BY, milvus_server

__all__ = ["milvus_server"]

# Its library reads this when it is imported, before any fixture.
os.environ["HF_HUB_OFFLINE"] = "1"
# No test reads the user's own config.toml.
os.environ["CLIPSEARCH_CONFIG"] = os.devnull
# No test reaches another machine, nor does a process that it starts, where that can be prevented.
offline.leave_network()
offline.watch_sockets()
# No property fails because the machine is busy.
settings.register_profile(
    "no deadline", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no deadline")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print which Milvus server the tests used, if any did."""
    if served_by := config.stash.get(SERVED_BY, None):
        terminalreporter.write_line(f"Milvus server: {served_by}")


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that one process runs when several share the work.

    Those of a module share its fixtures; those that need a Milvus server share that.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        group = "milvus_server" if "milvus_server" in fixtures else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs beside the project; tests that need it skip without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no development data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small models gain nothing from more threads, and lose much on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def own_runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests away from the user's daemons, and start none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        patch.delenv("CLIPSEARCH_WARM", raising=False)
        yield


@pytest.fixture(autouse=True)
def this_machine_only() -> Iterator[None]:
    """Fail a test that tried to reach another machine, also if the error was handled."""
    offline.attempts.clear()
    yield
    assert not offline.attempts, f"the test tried to reach {offline.attempts}"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the user's own settings or collections."""
    for name in ("MODEL", "URI", "COLLECTION", "RUNTIME", "TOKEN"):
        monkeypatch.delenv(f"CLIPSEARCH_{name}", raising=False)
    # "auto" makes and measures every precision of a model, which takes seconds.
    monkeypatch.setenv("CLIPSEARCH_PRECISION", "fp32")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Commands that run in this process configure the library's logger; undo that."""
    yield
    log = logging.getLogger("clipsearch")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def own_memory_limit() -> Iterator[None]:
    """`--max-memory` of a command that runs in this process limits no later test."""
    yield
    set_max_memory(default_limit())


@pytest.fixture
def encoder() -> ColorEncoder:
    """A fake encoder that counts its calls."""
    return ColorEncoder()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real embedded store; opening one takes about a second, so that tests share it."""
    with Store.open(tmp_path_factory.mktemp("store") / "shared.db") as store:
        yield store


@pytest.fixture
def collection(store: Store, encoder: ColorEncoder) -> Iterator[Collection]:
    """An empty collection for the fake encoder's vectors."""
    yield store.create("images", encoder.identity)
    store.drop("images")


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """A folder with red.png, green.png and blue.png."""
    for colour in ("red", "green", "blue"):
        draw(tmp_path / "photos" / f"{colour}.png", colour)
    return tmp_path / "photos"
