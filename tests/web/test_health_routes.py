"""Health, readiness and metrics."""

import re
from functools import partial

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.errors import StoreError
from clipsearch.index import Index
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.settings import Settings


@pytest.fixture
def client(server: Server) -> TestClient:
    """A client of an app that counts the batches of its encoder."""
    batches = server.encoders.count_batches
    engine = Engine(partial(open_index, server, "images"), encoder_batches=batches)
    return TestClient(create_app(engine), base_url="http://127.0.0.1:8765")


def read(client: TestClient) -> dict[str, float]:
    """The samples of the metrics by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_server_is_healthy_before_it_is_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    app = client.app
    assert isinstance(app, FastAPI)
    app.state.engine.is_ready = True
    assert client.get("/readyz").json() == {"status": "ready"}


def test_health_needs_no_token_and_metrics_do(server: Server) -> None:
    engine = Engine(partial(open_index, server, "images"))
    app = create_app(engine, Settings(token="s3cret-token"))
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/metrics").status_code == 401
        headers = {"Authorization": "Bearer s3cret-token"}
        assert client.get("/metrics", headers=headers).status_code == 200


def test_latencies_have_the_template_of_the_route(client: TestClient) -> None:
    for id_ in ("0" * 32, "1" * 32):
        assert client.get(f"/v1/images/{id_}").status_code == 404
    client.get("/no/such/page")
    client.request("BREW", "/v1/search")
    client.get("/healthz", headers={"Host": "evil.example"})
    text = client.get("/metrics").text
    assert "0" * 32 not in text
    assert "BREW" not in text
    samples = read(client)
    count = "clipsearch_http_request_seconds_count"
    image = f'{count}{{method="GET",route="/v1/images/{{id}}",status="404"}}'
    assert samples[image] == 2
    unknown = [name for name in samples if name.startswith(count) and "(none)" in name]
    assert unknown
    assert not any("such" in name for name in samples)


def test_batches_of_the_model_are_counted(client: TestClient) -> None:
    before = read(client)
    client.post("/v1/embeddings", json={"input": [f"text {n}" for n in range(5)]})
    after = read(client)

    def grown(suffix: str) -> float:
        name = f"clipsearch_encoder_batch_inputs{suffix}"
        return after[name] - before[name]

    assert grown('_count{kind="texts"}') == 1
    assert grown('_sum{kind="texts"}') == 5
    assert grown('_bucket{kind="texts",le="4.0"}') == 0
    assert grown('_bucket{kind="texts",le="8.0"}') == 1
    assert grown('_bucket{kind="texts",le="+Inf"}') == 1
    assert grown('_count{kind="images"}') == 0


def test_images_and_queues_are_reported(client: TestClient) -> None:
    samples = read(client)
    assert samples["clipsearch_images"] == client.get("/v1/status").json()["images"]
    assert samples["clipsearch_ingest_jobs_running"] == 0
    for queue in ("searches", "calls", "collection", "model"):
        assert samples[f'clipsearch_queue_calls{{queue="{queue}"}}'] >= 0
    assert samples["clipsearch_http_requests_in_progress"] == 1
    assert samples["process_resident_memory_bytes"] > 1e6


def test_metrics_are_there_when_the_store_is_not(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Index) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(Index, "find_collection", fail)
    assert re.search(r"^clipsearch_images NaN$", client.get("/metrics").text, re.MULTILINE)
