"""Bulk import: a server reads Parquet files from its own storage into a collection."""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.request
from collections.abc import Sequence
from typing import Any, TypeAlias

from clipsearch.batching import batches
from clipsearch.errors import StoreError, shorten
from clipsearch.store.client import tls_options
from clipsearch.store.connection import CALL_SECONDS, SERVER_SECONDS, MilvusConnection
from clipsearch.store.milvus import MilvusBackend
from clipsearch.uri import StoreURI, parse_uri

log = logging.getLogger("clipsearch")

MAX_FILES = 1_024
"""Files of one request."""

POLL_SECONDS = 1.0
DONE, FAILED = "Completed", "Failed"

State: TypeAlias = tuple[str, str]
"""The state of a job: a word, and why it failed."""


class RestImport:
    """The jobs of a server since 2.4, by HTTP: `/v2/vectordb/jobs/import`."""

    def __init__(self, uri: StoreURI, token: str | None) -> None:
        """Use the database of a server; without a `token`, with the credentials in its URI."""
        self._uri = uri.display
        self._jobs = f"{uri.address.replace('tcp://', 'http://')}/v2/vectordb/jobs/import"
        self._token = token or uri.credentials
        self._database = {"dbName": uri.database} if uri.database else {}
        self._tls = _tls_context(uri)

    def start(self, name: str, files: Sequence[str]) -> str:
        """Begin to import files into a collection; return the id of the job."""
        request = {"collectionName": name, "files": [[file] for file in files], **self._database}
        return str(self._post("create", request)["jobId"])

    def state(self, job: str) -> State:
        """Return how far a job is."""
        data = self._post("describe", {"jobId": job, **self._database})
        return str(data["state"]), str(data.get("reason") or "")

    def _post(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(
            f"{self._jobs}/{action}", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(
                request, timeout=SERVER_SECONDS, context=self._tls
            ) as response:
                answer = json.loads(response.read())
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._uri} does not import: {shorten(str(error))}") from error
        if answer.get("code") != 0:
            raise StoreError(f"{self._uri} does not import: {shorten(str(answer.get('message')))}")
        data: dict[str, Any] = answer.get("data") or {}
        return data


def _tls_context(uri: StoreURI) -> ssl.SSLContext | None:
    """Return the TLS of requests to a server, with the user's certificates; None without TLS."""
    options = tls_options(uri)
    if not options:
        return None
    authority = options.get("ca_pem_path") or options.get("server_pem_path")
    context = ssl.create_default_context(cafile=authority)
    if "client_pem_path" in options:
        context.load_cert_chain(options["client_pem_path"], options["client_key_path"])
    return context


class GrpcImport:
    """The jobs of a server before 2.4, one for each file."""

    def __init__(self, client: Any) -> None:
        """Use a connected client of pymilvus."""
        self._handler = client._get_connection()  # MilvusClient has no method for this

    def start(self, name: str, files: Sequence[str]) -> str:
        """Begin to import one file into a collection; return the id of the job."""
        [file] = files
        return str(self._handler.do_bulk_insert(name, "", [file], timeout=SERVER_SECONDS))

    def state(self, job: str) -> State:
        """Return how far a job is."""
        state = self._handler.get_bulk_insert_state(int(job), timeout=SERVER_SECONDS)
        return str(state.state_name), str(state.failed_reason)


def run_imports(jobs: RestImport | GrpcImport, name: str, files: Sequence[str]) -> None:
    """Import files into a collection in Milvus, and wait for the end.

    Raises StoreError if a job fails: rows of other files may then be there.
    """
    size = MAX_FILES if isinstance(jobs, RestImport) else 1
    for batch in batches(files, size):
        job = jobs.start(name, batch)
        while True:
            word, reason = jobs.state(job)
            if word == DONE:
                break
            if word.startswith(FAILED):
                shown = batch[0] if len(batch) == 1 else f"{batch[0]} and others"
                raise StoreError(
                    f"the server could not import {shown}: {shorten(reason) or word}; it reads "
                    "files of its own storage only"
                )
            time.sleep(POLL_SECONDS)
        log.info("imported %s files", f"{len(batch):,}")


def import_files(backend: MilvusBackend, name: str, files: Sequence[str]) -> None:
    """Let a server read Parquet files of its storage, which have the fields of the collection.

    Raises as `run_imports` does.
    """
    uri, token = backend.address
    location = parse_uri(uri)
    connection = MilvusConnection(location, token=token, create=False)
    try:
        with connection.translating():
            client = connection.client()
            if backend.capabilities().rest_import:
                run_imports(RestImport(location, token), name, files)
            else:
                run_imports(GrpcImport(client), name, files)
            client.refresh_load(name, timeout=CALL_SECONDS)
    finally:
        connection.close()
