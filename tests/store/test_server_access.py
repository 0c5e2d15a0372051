"""A server with TLS, passwords and databases: who gets in, and what the errors say."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymilvus import MilvusClient, MilvusException

from clipsearch.errors import ClipsearchError
from clipsearch.store import Store
from tests.helpers.commands import command
from tests.helpers.milvus_binary import BundledServer, UnavailableError
from tests.helpers.records import MODEL, many

SECRET = "pass-word/with@signs"
READY_SECONDS = 120.0


@pytest.fixture(scope="module")
def server(
    certificates: Path, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The https URI of a server that asks for a client certificate and a password."""
    cache = pytestconfig.cache
    unpacked = cache.mkdir("milvus-2.3.5") if cache else tmp_path_factory.mktemp("milvus")
    folder = tmp_path_factory.mktemp("access")
    settings = {
        "server.pem": f"{certificates / 'server.pem'}",
        "server.key": f"{certificates / 'server.key'}",
        "ca.pem": f"{certificates / 'ca.pem'}",
        "authorizationEnabled: false": "authorizationEnabled: true",
        "tlsMode: 0": "tlsMode: 2",
    }
    try:
        bundled = BundledServer(unpacked, folder, settings=settings)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    bundled.start()
    try:
        uri = bundled.uri.replace("http://", "https://")
        first = first_client(uri, certificates, bundled)
        first.create_database("photos")
        first.update_password("root", "Milvus", SECRET)
        first.close()
        yield uri
    finally:
        bundled.close()


def first_client(uri: str, certificates: Path, server: BundledServer) -> MilvusClient:
    """A client of the user that every new server has, once the server is ready."""
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            return MilvusClient(
                uri,
                token="root:Milvus",
                timeout=2,
                secure=True,
                ca_pem_path=str(certificates / "ca.pem"),
                client_pem_path=str(certificates / "client.pem"),
                client_key_path=str(certificates / "client.key"),
            )
        except MilvusException:
            assert server.death() is None
            assert time.monotonic() < end
            time.sleep(0.5)


def error_of(uri: str, token: str | None) -> str:
    """The message of opening a store and listing its collections."""
    with pytest.raises(ClipsearchError) as raised, Store.open(uri, token=token) as store:
        store.collections()
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_a_client_with_certificate_and_password_gets_in(server: str, settings: None) -> None:
    with Store.open(server, token=f"root:{SECRET}") as store:
        images = store.create("tls", MODEL)
        images.upsert(many(20))
        assert images.count() == 20
        store.drop("tls")


@pytest.mark.parametrize("token", [None, "root:wrong", "nobody:" + SECRET])
def test_a_client_without_the_password_is_refused(
    server: str, settings: None, token: str | None
) -> None:
    assert "refuses access" in error_of(server, token)
    assert "CLIPSEARCH_TOKEN" in error_of(server, token)


@pytest.mark.parametrize("missing", ["CA_CERTIFICATE", "CLIENT_KEY"])
def test_a_client_certificate_needs_all_settings(
    server: str, settings: None, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"CLIPSEARCH_{missing}")
    assert "needs all of the settings" in error_of(server, f"root:{SECRET}")


def test_a_certificate_that_cannot_be_read_is_named(
    server: str, settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPSEARCH_CA_CERTIFICATE", "/no/ca.pem")
    assert "ca_certificate: /no/ca.pem: No such file" in error_of(server, None)


def test_a_server_with_another_certificate_is_not_trusted(
    server: str, settings: None, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLIENT_CERTIFICATE", "CLIENT_KEY"):
        monkeypatch.delenv(f"CLIPSEARCH_{name}")
    monkeypatch.setenv("CLIPSEARCH_CA_CERTIFICATE", str(certificates / "client.pem"))
    assert "no Milvus answers" in error_of(server, f"root:{SECRET}")
    assert "no Milvus answers" in error_of(server.replace("https", "http"), f"root:{SECRET}")


def test_databases_are_apart(server: str, settings: None) -> None:
    token = f"root:{SECRET}"
    with Store.open(f"{server}/photos", token=token) as photos:
        photos.create("images", MODEL).upsert(many(5))
        assert photos.uri == f"{server}/photos"
        with Store.open(server, token=token) as default:
            assert default.find("images") is None
    shown = run("status", "--uri", server, "--database", "photos", "--token", token)
    assert "images" in shown
    assert SECRET not in shown
    assert "no such database" in error_of(f"{server}/missing", token)
    assert "--database" in run("status", "--uri", server, "--database", "no", "--token", token)
    assert "another database" in run("status", "--uri", f"{server}/a", "--database", "b")


def test_a_copy_between_databases_needs_the_token_of_one_server(
    server: str, settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPSEARCH_TOKEN", f"root:{SECRET}")
    with Store.open(f"{server}/photos", token=f"root:{SECRET}") as photos:
        photos.create("few", MODEL).upsert(many(5))
    copied = run("copy", "--from", f"{server}/photos", "--to", server, "--collection", "few")
    assert copied.startswith("few: 5 images, 5 sent, verified")


def test_doctor_names_the_version_and_says_who_is_refused(server: str, settings: None) -> None:
    shown = run("doctor", "--uri", server, "--token", f"root:{SECRET}")
    assert "2.3.5" in shown
    assert SECRET not in shown
    assert "refuses access" in run("doctor", "--uri", server, "--token", "root:wrong")


def run(*arguments: str) -> str:
    """The output of a command in this process."""
    done = command(*arguments)
    return done.stdout + done.stderr
