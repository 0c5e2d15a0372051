"""Where a store is: a file, or a Milvus server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipsearch.daemon.endpoint import secret, without_password
from clipsearch.errors import UsageError
from clipsearch.store.error_text import line

SCHEMES = ("http://", "https://", "tcp://")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is: `text` as pymilvus takes it, and the absolute `path` of a local one."""

    text: str
    path: Path | None

    @property
    def shown(self) -> str:
        """Without a password."""
        return self.text if self.path else without_password(self.text)

    @property
    def key(self) -> str:
        """The same for all ways to write it: links are followed."""
        if self.path is None:
            return self.shown.rstrip("/")
        try:
            return str(self.path.resolve())
        except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: opening it tells
            return str(self.path)

    def secret(self, token: str | None) -> str:
        """What a warm process shares its connection for; of a file, that its user may open it."""
        return secret("", None) if self.path else secret(self.text, token)


def locate(uri: str | Path) -> Address:
    """Read a store's address; raise UsageError unless it ends in .db or is a server's."""
    text = str(uri)
    if text.startswith(SCHEMES):
        return Address(text, None)
    if "://" in text:
        raise UsageError(f"{text}: a server's address begins with {', '.join(SCHEMES)}")
    if not text.endswith(".db"):
        raise UsageError(
            f"{text}: a local store must be a file name that ends in .db, a server an address "
            f"such as http://127.0.0.1:19530"
        )
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~ of an unknown user
        raise UsageError(f"{text}: {line(error)}") from error
    return Address(str(path), path)
