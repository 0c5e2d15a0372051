"""`/static`: the files of the page."""

import hashlib
import re
from pathlib import Path

from fastapi.testclient import TestClient

from clipsearch.web.static_files import FOLDER, static_base, static_files

SUMS = Path(__file__).with_name("vendored.sha256").read_text(encoding="ascii").split()
VENDORED = {f"vendor/{name}": digest for digest, name in zip(SUMS[::2], SUMS[1::2], strict=True)}
"""SHA-256 of the files of photoswipe 5.4.4 and justified-layout 4.1.0, as npm has them."""


def test_vendored_files_are_those_of_npm() -> None:
    names = {name for name in static_files().contents if name.startswith("vendor/")}
    assert names == {*VENDORED, "vendor/README"}
    for name, digest in VENDORED.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_each_vendored_folder_has_its_license() -> None:
    folders = {name.rsplit("/", 1)[0] for name in VENDORED}
    assert {f"{folder}/LICENSE" for folder in folders} <= set(VENDORED)


def test_files_are_cached_only_under_the_present_version(client: TestClient) -> None:
    current = client.get(f"{static_base()}/css/base.css")
    assert current.headers["content-type"].startswith("text/css")
    assert "immutable" in current.headers["cache-control"]
    old = client.get("/static/0123456789ab/css/base.css")
    assert (old.content, old.headers["cache-control"]) == (current.content, "no-store")


def test_only_files_of_the_package_are_served(client: TestClient) -> None:
    base = static_base()
    for name in ("missing.js", "../pages.py", "..%2fpages.py", "css", "", "%00", "css/%2e%2e/x"):
        response = client.get(f"{base}/{name}")
        assert response.status_code == 404, name


def test_own_scripts_and_styles_stay_small_and_name_no_other_host() -> None:
    own = [
        path
        for path in FOLDER.rglob("*")
        if path.is_file() and "vendor" not in path.parts and path.suffix in (".js", ".css")
    ]
    assert len(own) > 15
    for path in own:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250, path
        assert max(map(len, text.splitlines())) <= 110, path
        hosts = re.findall(r"https?://[^\s\"'`)]+", text)
        assert set(hosts) <= {"http://www.w3.org/2000/svg"}, path
        assert "innerHTML" not in text, path
