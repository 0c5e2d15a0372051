"""Certificates of servers with TLS."""

import subprocess
from pathlib import Path

import pytest

from clipsearch.store import client


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, and with server and client .pem and .key that it signed."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    subject = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    try:
        openssl("req", "-x509", "-days", "2", *subject, "-keyout", "ca.key", "-out", "ca.pem")
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


@pytest.fixture
def settings(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates in the environment of this process and of commands."""
    monkeypatch.setattr(client, "CONNECT_SECONDS", 3.0)
    for name, file in (
        ("CA_CERTIFICATE", "ca.pem"),
        ("CLIENT_CERTIFICATE", "client.pem"),
        ("CLIENT_KEY", "client.key"),
    ):
        monkeypatch.setenv(f"CLIPSEARCH_{name}", str(certificates / file))
