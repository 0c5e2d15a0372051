"""Download a query image from a URL, within limits, and never from a private network.

A URL may come from anywhere, and this process may reach hosts that the URL's author cannot. So the
address that is connected to is the one that was checked (no second look-up of the name), at each
redirect anew, and proxies are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from clipsearch.arguments import show
from clipsearch.errors import ImageError, UsageError
from clipsearch.images.formats import HEADER_SIZE, describe_unknown, sniff

MAX_BYTES = 64_000_000
SECONDS = 30.0
"""For everything: the look-up of the name, all redirects and the content."""

MAX_REDIRECTS = 5
CHUNK = 1 << 16
TRUNCATED = "truncated: the connection ended before the image did"

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is routed publicly; Python takes others, such as fec0::/10, for global, too."""

_LOCAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "168.63.129.16/32", "3fff::/20")))
"""Not in every Python's list: protocol assignments, Azure's host, documentation."""


@dataclass(slots=True)
class _Outcome:
    data: bytes = b""
    error: Exception | None = None


def download(url: str, *, allow_private: bool = False, seconds: float = SECONDS) -> bytes:
    """Return the bytes of the image at an http or https URL.

    Takes at most `seconds`, MAX_BYTES and MAX_REDIRECTS. Unless `allow_private`, addresses that are
    not public are refused: loopback, link-local, private networks, multicast. Raises UsageError on
    a URL that is not allowed, ImageError if there is no image at it.
    """
    outcome = _Outcome()
    deadline = time.monotonic() + seconds

    def run() -> None:
        try:
            outcome.data = _follow(url, deadline, allow_private=allow_private)
        except Exception as error:  # noqa: BLE001 - raised again below
            outcome.error = error

    # A look-up has no time limit, and a server may send its headers byte by byte.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ImageError(f"the server took longer than {seconds:.0f} s")
    if isinstance(outcome.error, UsageError | ImageError):
        raise outcome.error
    if outcome.error is not None:
        raise ImageError(_describe(outcome.error)) from outcome.error
    return outcome.data


def public_address(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also one that is embedded in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in _NAT64 or int(ip) >> 32 == 0:  # the second is the old "IPv4-compatible" form
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded:
            return public_address(str(embedded))
        if ip not in _UNICAST:
            return False
    if any(ip in network for network in _LOCAL):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _follow(url: str, deadline: float, *, allow_private: bool) -> bytes:
    """Request a URL and those that it redirects to."""
    scheme = ""
    for redirects in range(MAX_REDIRECTS + 1):
        try:
            parts = _split(url)
        except UsageError as error:
            if not redirects:
                raise
            raise ImageError(f"it redirects to a URL that is not followed: {error}") from error
        if scheme == "https" and parts.scheme != "https":
            raise ImageError(f"https redirects to an unencrypted address, {show(url)}")
        scheme = parts.scheme
        connection = _connect(parts, deadline, allow_private=allow_private)
        try:
            connection.request("GET", _target(parts), headers={"User-Agent": "clipsearch"})
            response = connection.getresponse()
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return _read(response, deadline)
        finally:
            connection.close()
        url = urljoin(url, location.strip().replace(" ", "%20"))  # as browsers do
    raise ImageError(f"more than {MAX_REDIRECTS} redirects")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError if it is not a number
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise UsageError(f"{show(url)} is not a valid URL ({error})") from error
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"{show(url)}: only http and https URLs are downloaded")
    if not host or any(character.isspace() for character in url):
        raise UsageError(f"{show(url)} is not a valid URL")
    if parts.username is not None or parts.password is not None:
        raise UsageError("a URL must not contain a user name or a password")
    return parts


def _target(parts: SplitResult) -> str:
    """The path and query for the request line, with what is not ASCII in percent signs."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else path


def _connect(
    parts: SplitResult, deadline: float, *, allow_private: bool
) -> http.client.HTTPConnection:
    """Connect to the first address of the host that is allowed and answers."""
    host = (parts.hostname or "").encode("idna").decode()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = [
        str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    allowed = [address for address in addresses if allow_private or public_address(address)]
    if not allowed:
        raise UsageError(
            f"{host} is on a private network ({addresses[0]}): only the command line's "
            "--allow-private downloads from there"
        )
    error: OSError | None = None
    for address in dict.fromkeys(allowed):
        try:
            plain = socket.create_connection((address, port), timeout=_left(deadline))
        except OSError as failure:
            error = failure
            continue
        connection = http.client.HTTPConnection(host, port, timeout=_left(deadline))
        connection.sock = plain
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(plain, server_hostname=host)
            connection.default_port = 443  # for the Host header
        return connection
    raise error or ImageError("the server has no address")


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    if response.status != 200:
        raise ImageError(f"the server answers {response.status} {response.reason}")
    data = bytearray()
    while chunk := response.read1(CHUNK):
        data += chunk
        if len(data) > MAX_BYTES:
            raise ImageError(f"it is larger than {MAX_BYTES // 10**6} MB")
        if len(data) >= HEADER_SIZE and sniff(bytes(data[:HEADER_SIZE])) is None:
            break
        _left(deadline)
    if sniff(bytes(data[:HEADER_SIZE])) is None:
        raise ImageError(describe_unknown(bytes(data[:HEADER_SIZE])))
    if response.length:
        raise ImageError(TRUNCATED)
    return bytes(data)


def _left(deadline: float) -> float:
    """Seconds until the deadline; raise TimeoutError after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    if isinstance(error, socket.gaierror):
        return "the host name is unknown, or the network is down"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({getattr(error, 'verify_message', '') or error.reason})"
    if isinstance(error, http.client.IncompleteRead):
        return TRUNCATED
    if isinstance(error, OSError) and error.strerror:
        return f"cannot connect ({error.strerror.lower()})"
    return f"the server's answer is not understood ({type(error).__name__})"
