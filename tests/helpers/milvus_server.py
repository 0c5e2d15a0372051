"""A real Milvus server for the tests: a running one, a container, or the bundled binary."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module

import pytest

from clipsearch.uri import without_credentials
from tests.helpers.milvus_binary import StartedServer, UnavailableError, bundled_server

IMAGE = "milvusdb/milvus:v2.6.22"  # as in compose.yaml

SERVED_BY = pytest.StashKey[str]()
"""Which server served the tests, for the end of their report."""


@pytest.fixture(scope="session")
def milvus_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URI of a Milvus server that answers; skips with the reason if there is none.

    In this order: `CLIPSEARCH_TEST_MILVUS_URI`, which is left as it is, so choose collection names
    that nobody else has; a container, where an engine answers and the image is already there; the
    binary of the PyPI package `milvus` 2.3.5.
    """
    if uri := os.environ.get("CLIPSEARCH_TEST_MILVUS_URI"):
        wait_until_ready(StartedServer(uri, lambda: None), seconds=10)
        pytestconfig.stash[SERVED_BY] = f"CLIPSEARCH_TEST_MILVUS_URI, {version_of(uri)}"
        yield uri
        return

    def binary() -> AbstractContextManager[StartedServer]:
        cache = pytestconfig.cache
        unpacked = cache.mkdir("milvus-2.3.5") if cache else tmp_path_factory.mktemp("milvus")
        return bundled_server(unpacked, tmp_path_factory.mktemp("milvus-data"))

    reasons = []
    with ExitStack() as stack:
        for start in (container, binary):
            try:
                server = stack.enter_context(start())
            except UnavailableError as reason:
                reasons.append(str(reason))
            else:
                wait_until_ready(server, seconds=120)
                kind = f"container {IMAGE}" if start is container else "the bundled binary"
                pytestconfig.stash[SERVED_BY] = f"{kind}, {version_of(server.uri)}"
                yield server.uri
                return
    pytestconfig.stash[SERVED_BY] = f"none ({'; '.join(reasons)})"
    pytest.skip(f"no Milvus server: {'; '.join(reasons)}")


@contextmanager
def container() -> Iterator[StartedServer]:
    """Start a container of the pinned image. Raises UnavailableError.

    Tests pull nothing: an image of a gigabyte is for a person to ask for.
    """
    try:
        docker = import_module("docker")
        config = import_module("testcontainers.core.config").testcontainers_config
        community = import_module("testcontainers.community.milvus")
    except ImportError as error:
        raise UnavailableError(f"no {error.name}") from error
    try:
        engine = docker.from_env(timeout=10)
        engine.ping()
        for image in (IMAGE, config.ryuk_image):  # the second removes what a killed run leaves
            engine.images.get(image)
    except docker.errors.ImageNotFound as error:
        raise UnavailableError(f"image not here (docker pull {image})") from error
    except (docker.errors.DockerException, OSError) as error:
        raise UnavailableError("no container engine answers") from error
    # Newer images start the etcd inside them only when told that they are alone.
    with community.MilvusContainer(IMAGE).with_env("DEPLOY_MODE", "STANDALONE") as milvus:
        yield StartedServer(milvus.get_connection_url(), lambda: None)


def version_of(uri: str) -> str:
    """The URI and the version of a server."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri, timeout=5)
    try:
        return f"{client.get_server_version(timeout=5)} at {without_credentials(uri)}"
    finally:
        client.close()


def wait_until_ready(server: StartedServer, *, seconds: float) -> None:
    """Return when the server answers a query; fail the tests if it ends or does not answer."""
    from pymilvus import MilvusClient, MilvusException

    end = time.monotonic() + seconds
    while True:
        try:
            client = MilvusClient(server.uri, timeout=2)
            client.list_collections(timeout=2)
        except MilvusException as error:
            if last_words := server.death():
                pytest.fail(f"the Milvus server ended:\n{last_words}", pytrace=False)
            if time.monotonic() > end:
                pytest.fail(f"no Milvus server answers at {server.uri}: {error}", pytrace=False)
            time.sleep(0.2)
        else:
            client.close()
            return
