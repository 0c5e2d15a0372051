"""The location of a store: a file of Milvus Lite, or the URI of a Milvus server."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clipsearch import config
from clipsearch.errors import UsageError, describe_error

SCHEMES = ("http://", "https://", "tcp://")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class StoreURI:
    """A parsed URI: `text` in pymilvus's form, and the absolute `path` of a local store."""

    text: str
    path: Path | None

    @property
    def display(self) -> str:
        """The URI without a user name and password."""
        return self.text if self.path else without_credentials(self.text)

    @property
    def address(self) -> str:
        """The server's URI without user, password and database."""
        scheme, separator, rest = self.display.partition("://")
        return scheme + separator + rest.partition("/")[0]

    @property
    def database(self) -> str:
        """The database of the server, "" for its default."""
        return self.display.partition("://")[2].partition("/")[2].strip("/")

    @property
    def is_new_file(self) -> bool:
        """Whether this is a local store that does not exist yet."""
        return self.path is not None and not self.path.exists()

    @property
    def credentials(self) -> str | None:
        """The user name and password, or API key, in a server's URI as `user:password`."""
        if self.path is not None or "@" not in self.text:
            return None
        return self.text.partition("://")[2].rpartition("@")[0]

    @property
    def key(self) -> str:
        """A text that is equal for all spellings of one location; links are resolved."""
        if self.path is None:
            return self.display.rstrip("/")
        try:
            return str(self.path.resolve())
        except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: opening it will fail
            return str(self.path)

    def access_key(self, token: str | None) -> str:
        """Return a hash of the server's URI with password, token and certificates; "" for a file.

        The daemon shares its connection only with processes that know it. Whether a process may
        read a file is for the file system to decide.
        """
        if self.path is not None:
            return ""
        tls = [config.find_setting(name) for name in config.TLS_SETTINGS]
        secret = "\0".join([self.text, token or "", *(each.value if each else "" for each in tls)])
        return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def parse_uri(uri: str | Path) -> StoreURI:
    """Parse the location of a store; raise UsageError unless it ends in .db or is a server's."""
    text = str(uri)
    if text.startswith(SCHEMES):
        if not without_credentials(text).partition("://")[2].partition("/")[0]:
            scheme = text.partition("://")[0]
            raise UsageError(f"{scheme}:// names no server: write {scheme}://HOST:PORT")
        if "/" in without_credentials(text).rstrip("/").partition("://")[2]:
            return _with_valid_database(StoreURI(text, None))
        setting = config.find_setting("database")
        return with_database(text, setting.value) if setting else StoreURI(text, None)
    if "://" in text:
        raise UsageError(
            f"{without_credentials(text)}: the URI of a server starts with {', '.join(SCHEMES)}"
        )
    if not text.endswith(".db"):
        raise UsageError(
            f"{text}: give a local store as a file name that ends in .db, and a server as a URI "
            "such as http://127.0.0.1:19530"
        )
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~ of an unknown user
        raise UsageError(f"{text}: {describe_error(error)}") from error
    return StoreURI(str(path), path)


def with_database(uri: str, database: str) -> StoreURI:
    """Return the URI of a database of a server; raise UsageError if a URI names another one."""
    if not uri.startswith(SCHEMES):
        raise UsageError(f"{uri} is a file: only a server has databases")
    location = StoreURI(uri, None)
    if location.database not in ("", database):
        raise UsageError(f"{location.display} names another database than {database!r}")
    return _with_valid_database(
        location if location.database else StoreURI(f"{uri.rstrip('/')}/{database}", None)
    )


def _with_valid_database(uri: StoreURI) -> StoreURI:
    if not _DATABASE.fullmatch(uri.database):
        raise UsageError(
            f"{uri.database!r} cannot be the name of a database: use up to 255 letters, digits and "
            "underscores, not starting with a digit"
        )
    return uri


def without_credentials(uri: str) -> str:
    """Return a URI without user name and password, also if these hold `@` or `/` unescaped.

    Everything up to the last `@` goes. A path with an `@` loses its start, but no part of a
    password is ever shown.
    """
    scheme, separator, rest = uri.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
