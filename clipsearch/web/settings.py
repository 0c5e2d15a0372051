"""Settings of the web server: where it listens, who may use it, and its limits."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8765


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for, and how many may run at a time.

    - `body_bytes`: of a request's body; `upload_bytes`: of one with an image.
    - `body_seconds`: until a body has arrived; `seconds`: from then on until the response begins;
      `send_seconds`: until the client has taken a part of it.
    - `upload_pixels`: of an uploaded image; files of the collection have the limit of `decode`.
    - `text_length`: characters of one text.
    - `concurrency`, `uploads`, `archives`: requests at a time, and how many of them may be these.
    - `threads`: those that use the collection, and as many that decode images; `queue`: calls that
      wait for such a thread.

    `clipsearch.web.schemas` limits the other parts of a search.
    """

    body_bytes: int = 1 << 20
    upload_bytes: int = 64 << 20
    body_seconds: float = 30
    seconds: float = 60
    send_seconds: float = 60
    upload_pixels: int = 100_000_000
    text_length: int = 2_000
    concurrency: int = 128
    uploads: int = 16
    threads: int = 4
    queue: int = 256
    archives: int = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the web server.

    `token` is required from every client if it is set. `allowed_hosts` are further names that a
    request's Host header may have. Without `allow_write` nothing can be ingested; with it, what
    lies in `roots` and in folders that were ingested before.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = None
    allowed_hosts: frozenset[str] = frozenset()
    allow_write: bool = False
    roots: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own; False for other names."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
