"""`clipsearch serve` as a process: a page, and the daemon of its store."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra `web`")

from clipsearch.cli import serve as serve_command
from clipsearch.daemon import process as daemon_process
from clipsearch.errors import UsageError
from clipsearch.session import daemon_of, open_store
from tests.helpers.commands import command, one_line
from tests.helpers.daemons import NEEDS_SOCKETS, ROOT, bare_process
from tests.helpers.fakes import draw
from tests.helpers.records import MODEL, many

pytestmark = NEEDS_SOCKETS


@dataclass
class Served:
    process: subprocess.Popen[str]
    uri: Path
    url: str
    log: list[str]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return json.loads(response.read())


@contextmanager
def serving(uri: Path, *arguments: str, wait: bool = True) -> Iterator[Served]:
    """Run `clipsearch serve` on a free port; wait until it is ready."""
    command_line = [sys.executable, "-m", "clipsearch", "serve", "--port", "0", "--uri", str(uri)]
    with subprocess.Popen(
        [*command_line, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        served = Served(process, uri, "", [])
        try:
            while wait and not served.url:
                line = process.stderr.readline()
                assert line, served.log
                served.log.append(line)
                if match := re.match(r"serving \w+ at (http://\S+)\n", line):
                    served.url = match[1]
            yield served
        finally:
            process.kill()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three images, beside a store that has them."""
    folder = tmp_path_factory.mktemp("serve") / "images"
    for color in ("red", "green", "blue"):
        draw(folder / f"{color}.png", color)
    done = command("ingest", folder, "--uri", store_of(folder), CLIPSEARCH_MODEL="pocket")
    assert done.returncode == 0, done.stderr
    return folder


def store_of(folder: Path) -> Path:
    return folder.with_name("images.db")


@pytest.fixture(scope="module")
def served(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a copy of the store."""
    uri = copy_store(images, tmp_path_factory.mktemp("served"))
    with serving(uri) as server:
        yield server


def copy_store(images: Path, folder: Path) -> Path:
    return Path(shutil.copy(store_of(images), folder / "images.db"))


def test_commands_and_http_use_one_process(served: Served, images: Path) -> None:
    [hit] = served.get("/v1/search?q=red&limit=1")["hits"]
    shown = json.loads(command("query", "red", "-n", "1", "--json", "--uri", served.uri).stdout)
    assert (shown["path"], shown["score"]) == (hit["path"], pytest.approx(hit["score"], abs=1e-6))
    with open_store(served.uri) as store:
        assert daemon_of(store)
    extra = draw(images / "gray.png", (90, 90, 90))
    assert "1 stored" in command("ingest", images, "--uri", served.uri).stderr
    extra.unlink()
    assert "1 removed" in command("remove", extra, "--uri", served.uri).stderr
    assert "3 images" in command("status", "--uri", served.uri).stdout


def test_the_status_says_where_it_serves_and_the_idle_time_cannot_be_set(served: Served) -> None:
    text = command("warm", "--status", "--uri", served.uri).stdout
    assert text.startswith("clipsearch serve running since")
    assert f"process {served.process.pid}, pocket loaded; {served.url}, until it is" in text
    state = json.loads(
        command("warm", "--idle-timeout", "1s", "--json", "--uri", served.uri).stdout
    )
    assert (state["url"], state["idle"], state["left"]) == (served.url, None, None)


def test_a_second_server_of_the_store_is_refused(served: Served) -> None:
    done = command("serve", "--port", "0", "--uri", served.uri)
    assert done.returncode == 1
    assert f"already served at {served.url} by process {served.process.pid}" in one_line(
        done.stderr
    )


def test_a_port_in_use_is_one_line(served: Served, tmp_path: Path) -> None:
    port = served.url.rsplit(":", 1)[1]
    done = command("serve", "--port", port, "--uri", tmp_path / "other.db")
    assert (done.returncode, "already in use" in one_line(done.stderr)) == (2, True)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_requests(images: Path, tmp_path: Path, end: int) -> None:
    uri = copy_store(images, tmp_path)
    with serving(uri) as server:
        failures: list[Exception] = []
        is_stopping = threading.Event()

        def ask() -> None:
            try:
                while not is_stopping.is_set():
                    server.get("/v1/search?q=blue")
            except Exception as error:  # noqa: BLE001 - any is a failure
                failures.append(error)

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        for _ in range(3):
            server.get("/v1/search?q=green")
        is_stopping.set()  # the requests of the clients still run
        server.process.send_signal(end)
        for client in clients:
            client.join()
        assert not failures
        assert server.process.wait(20) == 0
    with open_store(uri) as store:
        assert daemon_of(store) is None
        assert store.collection("images").count() == 3


def test_an_idle_daemon_is_replaced_and_its_sessions_continue(tmp_path: Path) -> None:
    uri = tmp_path / "photos.db"
    with open_store(uri) as store:
        images = store.create("photos", MODEL)
        images.upsert(many(7))
        images.finish_writes()
    with bare_process(uri) as process, open_store(uri) as store:
        images = store.collection("photos")
        assert daemon_of(store)
        with serving(uri, "-c", "photos") as server:
            assert process.wait(20) == 0
            assert images.count() == 7
            assert daemon_of(store), "the session uses the new daemon"
            assert command("warm", "--stop", "--uri", uri).stderr == "daemon stopped\n"
            assert server.process.wait(20) == 0
            assert images.count() == 7


def test_a_daemon_that_is_written_through_is_named(tmp_path: Path) -> None:
    uri = tmp_path / "photos.db"
    with open_store(uri) as store:
        store.create("photos", MODEL)
    with bare_process(uri) as process, open_store(uri) as store:
        store.backend.begin_writes()
        done = command("serve", "--port", "0", "--uri", uri)
        assert done.returncode == 1
        assert f"process {os.getpid()} is writing through the daemon" in one_line(done.stderr)
        assert process.poll() is None


def test_a_missing_collection_is_served_and_a_missing_store_is_an_error(tmp_path: Path) -> None:
    missing = command("serve", "--port", "0", "--uri", tmp_path / "nowhere.db")
    assert missing.returncode == 1
    assert "no store at" in one_line(missing.stderr)
    assert not (tmp_path / "nowhere.db").exists()
    with open_store(tmp_path / "empty.db"):
        pass
    with serving(tmp_path / "empty.db") as server:
        assert "there is no collection 'images' yet\n" in server.log
        draw(tmp_path / "images" / "red.png", "red")
        done = command(
            "ingest", tmp_path / "images", "--uri", server.uri, CLIPSEARCH_MODEL="pocket"
        )
        assert done.returncode == 0, done.stderr
        for _ in range(100):
            try:
                hits = server.get("/v1/search?q=red")["hits"]
            except urllib.error.HTTPError:
                continue
            break
        assert len(hits) == 1


def test_the_model_is_unloaded_after_its_time_and_loaded_again(
    images: Path, tmp_path: Path
) -> None:
    uri = copy_store(images, tmp_path)
    with serving(uri, "--model-ttl", "0.5s") as server:
        for _ in range(200):
            status = daemon_process.read_status(str(uri))
            assert status
            if not status.models:
                break
            time.sleep(0.05)
        assert status
        assert status.models == []
        assert server.get("/v1/search?q=red&limit=1")["hits"]


@pytest.mark.parametrize("token", ["", "short", "with a space", "ünicode-token", "line\nbreak"])
def test_a_weak_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="at least 8 characters"):
        serve_command.check_access("127.0.0.1", token)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "0"])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="--token"):
        serve_command.check_access(host, None)
    serve_command.check_access(host, "0123456789abcdef")
    serve_command.check_access("127.0.0.1", None)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clipsearch.web.service", None)
    monkeypatch.delattr("clipsearch.web.service", raising=False)  # of an import before
    done = command("serve")
    assert done.returncode == 2
    assert "pip install 'clipsearch[web]'" in one_line(done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_server_without_free_descriptors_answers_503_and_continues(images: Path) -> None:
    import resource

    with serving(store_of(images)) as served:
        [hit] = served.get("/v1/search?q=red&limit=1")["hits"]
        kept = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=30)
        kept.connect()

        def ask(path: str) -> int:
            kept.request("GET", path)
            response = kept.getresponse()
            response.read()
            return response.status

        paths = [f"/v1/images/{hit['id']}/file", "/v1/search?q=blue", "/v1/status"]
        assert [ask(path) for path in paths] == [200] * 3
        pid = served.process.pid
        used = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        lowest = min(set(range(len(used) + 1)) - used)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, limits[1]))
        assert ask(paths[0]) == 503
        assert {ask(path) for path in (*paths, f"/?q=green&id={hit['id']}")} <= {200, 503}
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert [ask(path) for path in paths] == [200] * 3
        assert served.get(paths[1])["hits"]
