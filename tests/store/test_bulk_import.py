"""The requests of a bulk import, as the documentation of Milvus has them.

Sources: milvus.io/api-reference/restful (v2, Import): create and describe.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from clipsearch.errors import StoreError
from clipsearch.store import bulk_import
from clipsearch.store.bulk_import import RestImport, run_imports
from clipsearch.uri import StoreURI


class ImportServer(HTTPServer):
    """Answers as a server does: a job is pending, importing, then done, or failed if told so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, Any], str | None]] = []
        self.states = ["Pending", "Importing", "Completed"]
        self.code = 0

    @property
    def uri(self) -> StoreURI:
        return self.uri_of("")

    def uri_of(self, database: str, *, scheme: str = "http", user: str = "") -> StoreURI:
        return StoreURI(f"{scheme}://{user}127.0.0.1:{self.server_port}{database}", None)


class Handler(BaseHTTPRequestHandler):
    server: ImportServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body, self.headers["Authorization"]))
        data: dict[str, Any] = {}
        if self.path.endswith("/create"):
            data = {"jobId": f"job-{len(self.server.requests)}"}
        else:
            done = sum(path.endswith("/describe") for path, *_ in self.server.requests)
            state = self.server.states[min(done, len(self.server.states)) - 1]
            data = {
                "jobId": body["jobId"],
                "state": state,
                "progress": 50,
                "reason": "no such file",
            }
        answer = {"code": self.server.code, "data": data, "message": "the collection is not there"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportServer]:
    monkeypatch.setattr(bulk_import, "POLL_SECONDS", 0.0)
    with ImportServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_job_is_made_and_watched_to_its_end(server: ImportServer) -> None:
    run_imports(RestImport(server.uri, "root:secret"), "images_g2", ["a/1.parquet", "a/2.parquet"])
    created, *described = server.requests
    assert created == (
        "/v2/vectordb/jobs/import/create",
        {"collectionName": "images_g2", "files": [["a/1.parquet"], ["a/2.parquet"]]},
        "Bearer root:secret",
    )
    assert described == [
        ("/v2/vectordb/jobs/import/describe", {"jobId": "job-1"}, "Bearer root:secret")
    ] * len(server.states)


def test_a_request_names_1024_files_at_most(server: ImportServer) -> None:
    server.states = ["Completed"]
    files = [f"{number}.parquet" for number in range(2_500)]
    run_imports(RestImport(server.uri_of("/photos"), None), "images", files)
    created = [body for path, body, _ in server.requests if path.endswith("/create")]
    assert [len(body["files"]) for body in created] == [1_024, 1_024, 452]
    assert [name for body in created for [name] in body["files"]] == files
    assert {body["dbName"] for _, body, _ in server.requests} == {"photos"}
    assert {token for *_, token in server.requests} == {None}


def test_a_uri_may_have_credentials_and_the_scheme_of_grpc(server: ImportServer) -> None:
    server.states = ["Completed"]
    uri = server.uri_of("/photos/", scheme="tcp", user="root:p@ss@")
    run_imports(RestImport(uri, None), "images", ["1.parquet"])
    path, body, token = server.requests[0]
    assert (path, token) == ("/v2/vectordb/jobs/import/create", "Bearer root:p@ss")
    assert body["dbName"] == "photos"


@pytest.mark.usefixtures("settings")
def test_a_server_with_tls_is_asked_with_the_certificates_of_the_settings(
    server: ImportServer, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    uri = server.uri_of("", scheme="https")
    run_imports(RestImport(uri, None), "images", ["1.parquet"])
    assert len(server.requests) == 1 + len(server.states)
    for name in ("CA_CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        monkeypatch.delenv(f"CLIPSEARCH_{name}")
    with pytest.raises(StoreError, match="CERTIFICATE_VERIFY_FAILED"):
        run_imports(RestImport(uri, None), "images", ["1.parquet"])


def test_a_failed_job_is_an_error_with_its_reason(server: ImportServer) -> None:
    server.states = ["Importing", "Failed"]
    with pytest.raises(StoreError, match=r"could not import 1\.parquet: no such file"):
        run_imports(RestImport(server.uri, None), "images", ["1.parquet"])


def test_a_refused_request_is_an_error_without_the_token(server: ImportServer) -> None:
    server.code = 100
    with pytest.raises(StoreError, match="the collection is not there") as error:
        run_imports(RestImport(server.uri, "root:secret"), "images", ["1.parquet"])
    assert "secret" not in str(error.value)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:1 does not import"):
        run_imports(RestImport(StoreURI("http://127.0.0.1:1", None), None), "images", ["1.parquet"])
