"""Who may use the server: the token, the Host and the Origin of a request."""

from collections.abc import Iterator
from functools import partial

import pytest
from fastapi.testclient import TestClient

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.web.access import cookie_name, cookie_value
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.settings import Settings, is_loopback

TOKEN = "right-töken"
PAGE = {"accept": "text/html,*/*"}


def browse(server: Server, base_url: str, **settings: object) -> TestClient:
    engine = Engine(partial(open_index, server, "images"))
    app = create_app(engine, Settings(**settings))  # type: ignore[arg-type]
    return TestClient(app, base_url=base_url, follow_redirects=False)


@pytest.fixture
def guarded(server: Server) -> Iterator[TestClient]:
    """A client of a server with a token."""
    with browse(server, "http://10.0.0.5:8765", host="0.0.0.0", token=TOKEN) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}".encode()},
        {"authorization": "Bearer"},
        {"authorization": "Bearer " + "\xff" * 10},
        {"cookie": f"{cookie_name(TOKEN)}=right"},
        {"cookie": f"{cookie_name(TOKEN)}={TOKEN}".encode()},
        {"cookie": ";;;=;\x80"},
    ],
)
def test_without_the_token_nothing_is_told(
    guarded: TestClient, headers: dict[str, str | bytes]
) -> None:
    encoded = [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers.items()
    ]
    for path in ("/v1/search?q=red", "/v1/images/" + "0" * 32, "/docs", "/unknown", "/"):
        response = guarded.get(path, headers=encoded)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"


def test_programs_send_the_token(guarded: TestClient) -> None:
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    assert guarded.get("/v1/search?q=red", headers=headers).status_code == 200
    assert guarded.get("/v1/search?q=red").status_code == 401


def test_browsers_log_in_once(guarded: TestClient) -> None:
    assert guarded.get("/", headers=PAGE).headers["location"] == "/login"
    assert guarded.get("/login").status_code == 200
    assert guarded.post("/login", data={"token": "wrong"}).status_code == 401
    assert guarded.get("/v1/search").status_code == 401
    response = guarded.post("/login", data={"token": TOKEN})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/v1/search").status_code == 200


def test_a_form_with_many_fields_is_no_login(guarded: TestClient) -> None:
    fields = {f"field{number}": "1" for number in range(20)}
    assert guarded.post("/login", data=fields).status_code == 401


@pytest.mark.parametrize("other", ['a={"b":1,"c":[2]}', "a b=c", "\xe9=1", "a", "a=b,c d"])
def test_malformed_cookies_of_other_servers_do_no_harm(guarded: TestClient, other: str) -> None:
    own = f"{cookie_name(TOKEN)}={cookie_value(TOKEN)}"
    for cookies in (f"{other}; {own}", f"{own}; {other}"):
        headers = [(b"cookie", cookies.encode("latin-1"))]
        assert guarded.get("/v1/search", headers=headers).status_code == 200


def test_a_browser_is_logged_in_at_several_servers_of_a_host(
    server: Server, guarded: TestClient
) -> None:
    guarded.post("/login", data={"token": TOKEN})
    with browse(server, "http://10.0.0.5:8766", host="0.0.0.0", token="other") as other:
        other.cookies.update(guarded.cookies)
        other.post("/login", data={"token": "other"})
        guarded.cookies.update(other.cookies)
        assert other.get("/v1/search").status_code == 200
    assert guarded.get("/v1/search").status_code == 200


def test_the_printed_address_logs_in(guarded: TestClient) -> None:
    assert guarded.get("/?token=wrong", headers=PAGE).headers["location"] == "/login"
    response = guarded.get(f"/?q=a%20b&token={TOKEN}", headers=PAGE)
    assert (response.status_code, response.headers["location"]) == (303, "/?q=a+b")
    assert guarded.get("/v1/search").status_code == 200
    address = f"http://10.0.0.5:8765//evil.example/a?token={TOKEN}"
    other = guarded.get(address, headers=PAGE)
    assert other.headers["location"] == "/evil.example/a"


def test_what_watches_the_server_needs_no_token(guarded: TestClient) -> None:
    assert guarded.get("/healthz").status_code in (200, 404)
    assert guarded.get("/static/0/css/base.css").status_code == 200
    assert guarded.get("/static/../v1/search").status_code == 401


def test_a_token_protects_a_cookie_of_another_token(server: Server, guarded: TestClient) -> None:
    with browse(server, "http://127.0.0.1", token="other") as other:
        other.post("/login", data={"token": "other"})
        guarded.cookies.update(other.cookies)
    assert guarded.get("/v1/search").status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.5",
        "localhost:1@evil.example",
        "",
        "[::1",
        "a:b",
        "x@127.0.0.1",
        "127.0.0.1/evil",
        "127.0.0.1:abc",
        "127.0.0.1:8765:1",
        "127.0.0.1?",
        "127.0.0.1#",
        "127.0.0.1\\evil",
        "127.0.0.1 ",
        "[127.0.0.1]",
        "::1",
        "[::1]x",
        "[::1%25lo]",
        "localhost.",
    ],
)
def test_another_name_of_the_server_is_refused(client: TestClient, host: str) -> None:
    response = client.get("/v1/search?q=red", headers={"host": host})
    assert response.status_code == 421
    assert "--allowed-host" in response.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:8765", "[::1]:8765"])
def test_the_names_of_this_machine_are_allowed(client: TestClient, host: str) -> None:
    assert client.get("/v1/search?q=red", headers={"host": host}).status_code == 200


def test_further_names_can_be_allowed(server: Server) -> None:
    names = frozenset({"Images.Example"})
    with browse(server, "http://images.example", allowed_hosts=names) as client:
        assert client.get("/v1/search?q=red").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_origins_cannot_post(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/v1/search", json={}, headers=headers)
    assert response.status_code == 403


def test_pages_of_other_sites_get_nothing_but_a_link(client: TestClient) -> None:
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/v1/search?q=red", headers=foreign).status_code == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/?q=red", headers=link).status_code == 200


def test_the_page_itself_can_post(client: TestClient) -> None:
    headers = {"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}
    assert client.post("/v1/search", json={}, headers=headers).status_code == 200


def test_every_response_is_protected(client: TestClient) -> None:
    responses = [client.get("/"), client.get("/v1/search?q=red"), client.get("/nothing")]
    responses.append(client.get("/", headers={"host": "evil.example"}))
    for response in responses:
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_addresses_of_this_machine_are_known() -> None:
    local = ["127.0.0.1", "localhost", "::1", "127.9.9.9"]
    assert [
        host for host in (*local, "0.0.0.0", "10.0.0.1", "a.example") if is_loopback(host)
    ] == local
