"""--device, --runtime and --precision apply to the intended model only."""

import os
from pathlib import Path

import pytest

from clipsearch.daemon import process
from clipsearch.daemon.endpoint import is_supported
from clipsearch.daemon.options import DaemonOptions
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from tests.helpers.commands import command
from tests.helpers.daemons import serving
from tests.helpers.fakes import ColorEncoder, draw

Loads = list[tuple[str, Runtime | None]]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """The models that were loaded, with their runtimes; all of them are the fake encoder."""
    monkeypatch.delenv("CLIPSEARCH_PRECISION")
    loaded: Loads = []

    def load(name: str, runtime: Runtime | None = None, **_: object) -> ColorEncoder:
        loaded.append((name, runtime))
        return ColorEncoder(name=name)

    monkeypatch.setattr(registry, "load", load)
    return loaded


@pytest.fixture
def uri(tmp_path: Path, image_folder: Path, loads: Loads) -> Path:
    """A store with three images."""
    done = command("ingest", image_folder, "--uri", tmp_path / "a.db", "--model", "clip")
    assert done.returncode == 0, done.stderr
    loads.clear()
    return tmp_path / "a.db"


def test_the_reference_model_of_an_agreement_keeps_its_own_runtime(
    tmp_path: Path, loads: Loads
) -> None:
    for number in range(21):
        draw(tmp_path / "images" / f"{number}.png", (number * 10, 99, 99))
    arguments: list[str | Path] = ["eval", "agreement", tmp_path / "images", "--model", "pocket"]
    done = command(*arguments, "--reference", "clip", "--precision", "int8")
    assert done.returncode == 0, done.stderr
    assert loads == [("pocket", Runtime(precision="int8")), ("clip", Runtime())]
    loads.clear()
    command(*arguments, "--reference-precision", "fp32", CLIPSEARCH_PRECISION="bf16")
    assert loads == [("pocket", Runtime(precision="bf16")), ("pocket", Runtime(precision="fp32"))]


@pytest.mark.skipif(not is_supported(), reason="needs Unix sockets")
def test_a_daemon_uses_the_runtime_of_each_command(uri: Path, loads: Loads) -> None:
    with serving(uri):
        for options in (["--precision", "fp32"], [], ["--precision", "fp32"]):
            done = command("query", "red", "--uri", uri, *options)
            assert done.returncode == 0, done.stderr
    assert loads == [("clip", Runtime(precision="fp32")), ("clip", Runtime())]


@pytest.mark.skipif(not is_supported(), reason="needs Unix sockets")
def test_a_daemon_does_not_inherit_the_environment_of_its_command(
    uri: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned: list[tuple[Runtime, str | None]] = []

    def spawn(options: DaemonOptions, *_: object, **__: object) -> None:
        spawned.append((options.runtime, os.environ.get("CLIPSEARCH_PRECISION")))

    monkeypatch.setattr(process, "_spawn", spawn)
    command("query", "red", "--uri", uri, "--precision", "fp32", CLIPSEARCH_WARM="1m")
    assert spawned == [(Runtime(precision="fp32"), None)]
