"""The location of a store, and what of it may be shown."""

from pathlib import Path

import pytest

from clipsearch.errors import StoreError, UsageError
from clipsearch.store import Store
from clipsearch.uri import parse_uri


@pytest.mark.parametrize(
    "password", ["secret", "s@cret", "sec/ret", "a@b/c@d", "/", "@", "s:e#c?r"]
)
def test_no_part_of_a_password_is_shown(password: str) -> None:
    uri = parse_uri(f"http://root:{password}@milvus.example:19530/photos")
    assert uri.display == "http://milvus.example:19530/photos"
    assert uri.key == uri.display
    assert uri.credentials == f"root:{password}"


def test_a_uri_without_a_password_is_shown_as_it_is(tmp_path: Path) -> None:
    for text in ("http://127.0.0.1:19530", "https://milvus.example/photos"):
        uri = parse_uri(text)
        assert (uri.display, uri.credentials) == (text, None)
    file = parse_uri(tmp_path / "me@home.db")
    assert (file.display, file.credentials) == (str(tmp_path / "me@home.db"), None)


def test_no_error_of_a_connection_shows_a_part_of_a_password() -> None:
    with pytest.raises(StoreError) as raised:
        Store.open("http://root:pa55@w0rd/19@127.0.0.1:1")
    assert "http://127.0.0.1:1" in str(raised.value)
    for part in ("root", "pa55", "w0rd"):
        assert part not in str(raised.value)


def test_the_access_key_depends_on_password_and_token() -> None:
    one, other = parse_uri("http://a:1@h"), parse_uri("http://a:2@h")
    assert one.key == other.key
    keys = {one.access_key(None), one.access_key("t"), other.access_key(None)}
    assert len(keys) == 3


@pytest.mark.parametrize("text", ["http://", "https:///photos", "http://root:secret@"])
def test_a_uri_without_a_host_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no server: write https?://HOST:PORT") as raised:
        parse_uri(text)
    assert "secret" not in str(raised.value)
