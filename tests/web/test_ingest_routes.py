"""Ingest jobs: who may start them, what they report, and how they end."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.index import Index
from clipsearch.web import ingest_jobs, job_events
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.ingest_jobs import IngestJob, JobCanceledError
from clipsearch.web.settings import Settings
from ingest.options import IngestOptions
from tests.helpers.fakes import draw

NO_JOB = "j_" + "0" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with red.png, green.png and a file that is not an image."""
    draw(tmp_path / "root" / "red.png", "red")
    draw(tmp_path / "root" / "inner" / "green.png", "green")
    (tmp_path / "root" / "broken.jpg").write_bytes(b"not an image")
    return tmp_path / "root"


@pytest.fixture
def writer_app(server: Server, folder: Path) -> Iterator[FastAPI]:
    """An app that may ingest `folder` into a collection that does not exist yet."""
    settings = Settings(allow_write=True, roots=(folder,))
    yield create_app(Engine(partial(open_index, server, "jobs")), settings)
    with open_index(server, "jobs") as index:
        if index.find_collection():
            index.store.drop("jobs")


@pytest.fixture
def writer(writer_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(writer_app, base_url="http://127.0.0.1:8765") as client:
        yield client


def start(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/ingest", json=body)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


def finish(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while job["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    return job


def test_a_job_ingests_the_roots(writer: TestClient, folder: Path) -> None:
    job = finish(writer, start(writer))
    assert job["state"] == "finished", job
    assert (job["seen"], job["total"], job["stored"], job["failed"]) == (3, 3, 2, 1)
    [failure] = job["report"]["failures"]
    assert failure["path"] == str(folder / "broken.jpg")
    assert job["eta_seconds"] is None
    status = writer.get("/v1/status").json()
    assert status["job"] is None
    assert status["roots"] == [{"path": str(folder), "missing": False}]
    assert writer.get("/v1/failures").json()["total"] == 1
    assert writer.get("/v1/jobs").json()["jobs"] == [job]


def test_a_second_job_finds_what_changed(writer: TestClient, folder: Path) -> None:
    finish(writer, start(writer))
    (folder / "red.png").unlink()
    draw(folder / "inner" / "blue.png", "blue")
    job = finish(writer, start(writer, paths=[str(folder / "inner")]))
    assert (job["stored"], job["unchanged"]) == (1, 1)
    job = finish(writer, start(writer, prune=True))
    assert job["report"]["removed"] == 1
    assert writer.get("/v1/status").json()["images"] == 2


def test_a_server_is_read_only_by_default(client: TestClient) -> None:
    for response in (
        client.post("/v1/ingest", json={}),
        client.delete(f"/v1/jobs/{NO_JOB}"),
    ):
        assert response.status_code == 403
        assert "--allow-write" in client.post("/v1/ingest", json={}).json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/proc/self", "{root}/..", "{root}/../other", "{root}x", "{root}/link/x"],
)
def test_folders_outside_of_the_roots_are_refused(
    writer: TestClient, folder: Path, path: str
) -> None:
    draw(folder.parent / "other" / "secret.png")
    (folder / "link").symlink_to(folder.parent / "other")
    for paths in ([path.format(root=folder)], [str(folder), path.format(root=folder)]):
        response = writer.post("/v1/ingest", json={"paths": paths})
        assert response.status_code == 403, response.text
        assert "secret" not in response.text
    assert writer.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize(
    "body",
    [
        {"paths": ["photos"]},
        {"paths": [""]},
        {"paths": []},
        {"paths": ["~/photos"]},
        {"paths": ["/a\0b"]},
        {"paths": ["/" + "a" * 5_000]},
        {"paths": "/photos"},
        {"paths": ["/x"] * 2_000},
        {"prune": "maybe"},
        {"root": "/"},
        [],
    ],
)
def test_malformed_requests_are_refused(writer: TestClient, body: object) -> None:
    response = writer.post("/v1/ingest", json=body)
    assert response.status_code in (403, 422), response.text
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_path_below_a_root_that_does_not_exist_is_a_failure(
    writer: TestClient, folder: Path
) -> None:
    job = finish(writer, start(writer, paths=[str(folder / "red.png"), str(folder / "no.png")]))
    assert (job["state"], job["stored"], job["failed"]) == ("finished", 1, 1)


def test_without_any_root_there_is_nothing_to_ingest(server: Server) -> None:
    app = create_app(Engine(partial(open_index, server, "none")), Settings(allow_write=True))
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        response = client.post("/v1/ingest", json={})
    assert response.status_code == 422
    assert "--root" in response.json()["detail"]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Ingestions examine a file each 10 ms, without end, until the event is set."""
    release = threading.Event()

    def ingest_source(_: Index, source: object, *, progress: IngestJob, **options: Any) -> None:
        progress.total = 10
        while not release.wait(0.01):
            progress.update(1)
        raise AssertionError("the job was not canceled")

    monkeypatch.setattr(Index, "ingest_source", ingest_source)
    yield release
    release.set()


def test_one_job_runs_at_a_time_and_can_be_canceled(
    writer: TestClient, slow: threading.Event
) -> None:
    job = start(writer)
    assert writer.get("/v1/status").json()["job"] == job["id"]
    response = writer.post("/v1/ingest", json={})
    assert response.status_code == 409
    assert job["id"] in response.json()["detail"]
    assert writer.delete(f"/v1/jobs/{job['id']}").status_code == 202
    job = finish(writer, job)
    assert job["state"] == "canceled"
    assert job["report"] is None
    assert writer.delete(f"/v1/jobs/{job['id']}").json()["state"] == "canceled"


def test_closing_the_server_cancels_the_job(writer_app: FastAPI, slow: threading.Event) -> None:
    with TestClient(writer_app, base_url="http://127.0.0.1:8765") as client:
        job = start(client)
    assert writer_app.state.jobs.get(job["id"]).state == "canceled"


def test_what_was_embedded_before_a_cancel_stays(
    writer: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        draw(folder / f"{number}.png", (number, 8 * number, 0))
    update = IngestJob.update

    def update_and_cancel(job: IngestJob, n: float) -> None:
        update(job, n)
        if job.as_json()["seen"] >= 10:
            job.cancel()

    monkeypatch.setattr(IngestJob, "update", update_and_cancel)
    job = finish(writer, start(writer))
    assert job["state"] == "canceled"
    assert 0 < writer.get("/v1/status").json()["images"] < 32


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_not_found(writer: TestClient, method: str) -> None:
    assert writer.request(method, f"/v1/jobs/{NO_JOB}").status_code == 404
    assert writer.request(method, "/v1/jobs/1").status_code == 422


def test_a_job_that_fails_says_why(writer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("secret details")

    monkeypatch.setattr(Index, "ingest_source", fail)
    job = finish(writer, start(writer))
    assert job["state"] == "failed"
    assert "log" in job["error"]
    assert "secret" not in job["error"]


def test_a_busy_store_fails_the_job(writer: TestClient, server: Server) -> None:
    with open_index(server, "images") as other:
        other.store.backend.begin_writes()
        job = finish(writer, start(writer))
        other.store.backend.end_writes()
    assert job["state"] == "failed"
    assert "being written" in job["error"]


def test_only_the_last_jobs_are_remembered(
    writer: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_jobs, "KEPT_JOBS", 2)
    jobs = [finish(writer, start(writer)) for _ in range(3)]
    remembered = writer.get("/v1/jobs").json()["jobs"]
    assert [job["id"] for job in remembered] == [jobs[2]["id"], jobs[1]["id"]]
    assert writer.get(f"/v1/jobs/{jobs[0]['id']}").status_code == 404


def read_events(text: str) -> list[tuple[str, int, dict[str, Any]]]:
    events = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in ("", ":")
        )
        if "data" in fields:
            events.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return events


def test_events_follow_a_job_to_its_end(
    writer: TestClient, slow: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "POLL_SECONDS", 0.02)
    job = start(writer)
    threading.Timer(0.3, lambda: writer.delete(f"/v1/jobs/{job['id']}")).start()
    response = writer.get(f"/v1/jobs/{job['id']}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.text.startswith("retry: ")
    events = read_events(response.text)
    assert [name for name, _, _ in events] == ["progress"] * (len(events) - 1) + ["end"]
    assert len(events) > 3
    numbers = [id_ for _, id_, _ in events]
    assert numbers == sorted(set(numbers))
    seen = [values["seen"] for _, _, values in events]
    assert seen == sorted(seen)
    assert events[-2][2]["rate"] > 0
    assert events[-1][2]["state"] == "canceled"

    again = writer.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(numbers[-1])})
    assert again.status_code == 204  # the browser does not ask again
    missed = writer.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(numbers[0])})
    assert [name for name, _, _ in read_events(missed.text)] == ["end"]


@pytest.mark.parametrize("last_id", ["", "x", "-1", "9" * 50, "²"])
def test_a_strange_last_event_starts_from_the_present(
    writer: TestClient, slow: threading.Event, last_id: str
) -> None:
    job = start(writer)
    writer.delete(f"/v1/jobs/{job['id']}")
    finish(writer, job)
    headers = {b"Last-Event-ID": last_id.encode()}
    response = writer.get(f"/v1/jobs/{job['id']}/events", headers=headers)
    assert [name for name, _, _ in read_events(response.text)] == ["end"]


def test_a_silent_job_sends_heartbeats(writer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def ingest_source(*_: object, progress: IngestJob, **__: object) -> None:
        time.sleep(0.4)
        raise JobCanceledError

    monkeypatch.setattr(Index, "ingest_source", ingest_source)
    monkeypatch.setattr(job_events, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(job_events, "HEARTBEAT_SECONDS", 0.05)
    text = writer.get(f"/v1/jobs/{start(writer)['id']}/events").text
    assert text.count(": still running\n\n") > 2


def test_the_time_left_follows_from_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    job = IngestJob([], IngestOptions())
    job.total = 1_000
    for _ in range(40):  # 10 files a second, and before that a thousand times as many
        now += 1
        job.update(10)
    assert job.as_json()["rate"] == pytest.approx(10, rel=0.2)
    assert job.as_json()["eta_seconds"] == pytest.approx(60, rel=0.2)
