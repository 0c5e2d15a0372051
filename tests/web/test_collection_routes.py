"""What the API says about the collection."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.index import Index
from clipsearch.query.near_duplicates import DuplicateGroup
from clipsearch.types import Failure
from clipsearch.web import collection_routes
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine


def count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_status_describes_the_collection(client: TestClient, web_folder: Path) -> None:
    status = client.get("/v1/status").json()
    assert status["collection"] == "images"
    assert status["images"] == count(web_folder)
    assert status["model"]["name"] == "pocket"
    assert status["roots"] == [{"path": str(web_folder), "missing": False}]
    assert status["failures"] == 0
    assert status["disk_bytes"] > 0
    assert status["writable"] is False
    assert status["job"] is None


def test_a_missing_collection_is_empty(server: Server) -> None:
    app = create_app(Engine(partial(open_index, server, "nothing")))
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        status = client.get("/v1/status").json()
        assert status["images"] == 0
        assert status["model"] is None
        assert client.get("/v1/failures").json() == {"failures": [], "total": 0, "next": None}
        assert client.get("/v1/facets").json()["images"] == 0
        assert client.get("/v1/duplicates").json()["groups"] == []


@pytest.fixture
def failures(server: Server) -> Iterator[list[Path]]:
    """Files that failed; one has a name that is not UTF-8."""
    paths = [Path(f"/photos/{number}.jpg") for number in range(5)] + [Path("/photos/\udcff.jpg")]
    with open_index(server, "images") as index:
        index.collection.add_failures([Failure(path, "broken") for path in paths])
        index.collection.finish_writes()
    yield paths
    with open_index(server, "images") as index:
        index.collection.remove_failures(paths)
        index.collection.finish_writes()


def test_failures_are_paged_by_links(client: TestClient, failures: list[Path]) -> None:
    found, link = [], "/v1/failures?limit=4"
    while link:
        page = client.get(link).json()
        assert page["total"] == len(failures)
        found += page["failures"]
        link = page["next"]
    assert found == [{"path": str(path), "reason": "broken"} for path in failures]


def test_facets_count_formats_and_folders(client: TestClient, web_folder: Path) -> None:
    facets = client.get("/v1/facets").json()
    total = count(web_folder)
    assert sum(value["images"] for value in facets["formats"]) == facets["images"] == total
    assert facets["folders"][0] == {"path": str(web_folder), "images": total, "root": True}


def test_facets_follow_the_collection(
    client: TestClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.web.computations.REST", 0)
    total = client.get("/v1/facets").json()["images"]
    with open_index(server, "images") as index:
        [record, *_] = index.collection.scan()
        row = index.collection.get([record.id])[record.id]
        index.collection.delete([record.id])
        index.collection.finish_writes()
    assert client.get("/v1/facets").json()["images"] == total - 1
    with open_index(server, "images") as index:
        index.collection.upsert([row])
        index.collection.finish_writes()
    assert client.get("/v1/facets").json()["images"] == total


def test_a_result_is_computed_once(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def duplicates(index: Index) -> list[DuplicateGroup]:
        calls.append(index)
        return []

    monkeypatch.setattr(Index, "duplicates", duplicates)
    for _ in range(3):
        assert client.get("/v1/duplicates").json() == {"groups": [], "total": 0, "next": None}
    assert len(calls) == 1


def test_a_slow_result_is_announced(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(collection_routes, "PATIENCE", 0.05)
    monkeypatch.setattr(Index, "duplicates", lambda _: release.wait(10) and [])
    response = client.get("/v1/duplicates")
    assert response.status_code == 202
    assert response.json() == {"state": "computing"}
    assert int(response.headers["Retry-After"]) > 0
    assert client.get("/v1/status").status_code == 200  # other requests do not wait for it
    release.set()
    monkeypatch.setattr(collection_routes, "PATIENCE", 5)
    assert client.get("/v1/duplicates").status_code == 200


def test_a_failed_computation_is_tried_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Index) -> None:
        raise OSError("a disk that is off")

    monkeypatch.setattr(Index, "duplicates", fail)
    response = client.get("/v1/duplicates")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    monkeypatch.setattr(Index, "duplicates", lambda _: [])
    assert client.get("/v1/duplicates").status_code == 200


def test_duplicates_have_groups(client: TestClient) -> None:
    groups = client.get("/v1/duplicates").json()["groups"]
    names = [{Path(image["path"]).name for image in group["images"]} for group in groups]
    copies = groups[names.index({"copy.png", "red.png"})]
    assert copies["identical"] is True
    assert copies["similarity"] == pytest.approx(1)


def test_too_many_slow_calls_are_refused(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.web.computations.MAX_CALLS", 0)
    response = client.get("/v1/facets")
    assert response.status_code == 503
    assert "Retry-After" in response.headers


def test_closing_does_not_wait_for_a_slow_call(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.web.computations.CLOSE_SECONDS", 0.1)
    release = threading.Event()

    async def use() -> None:
        app = create_app(Engine(partial(open_index, server, "images")))
        computations = app.state.computations
        running = asyncio.create_task(computations.call(lambda _: release.wait(10)))
        waiting = asyncio.create_task(computations.call(lambda _: 1))
        await asyncio.sleep(0.1)
        await computations.close()
        release.set()
        assert await running is True
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(use())
