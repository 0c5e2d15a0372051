"""A store: the collections at one address."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from clipsearch.daemon.client import Link
from clipsearch.daemon.remote_store import RemoteClient
from clipsearch.errors import (
    DamagedStoreError,
    MissingCollectionError,
    StoreError,
    UsageError,
)
from clipsearch.models.base import ModelIdentity
from clipsearch.store import local_store
from clipsearch.store.address import locate
from clipsearch.store.backend import Connection
from clipsearch.store.catalog import CATALOG, Catalog, CollectionInfo
from clipsearch.store.collection import Collection
from clipsearch.store.milvus import Client
from clipsearch.store.schema import record_layout

LOOKS = 3
"""Before rows that seem to be missing count as damage."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


class Store:
    """Milvus Lite on a file, or a Milvus server. A context manager; for one thread at a time.

    Do not use it in a child made by fork: start threads, or spawn processes.
    """

    def __init__(self, client: Connection) -> None:
        """Use `Store.open` instead."""
        self._client = client
        self._catalog = Catalog(client)

    @classmethod
    def open(
        cls,
        uri: str | Path,
        *,
        token: str | None = None,
        create: bool = True,
        ahead: str | None = None,
    ) -> Store:
        """Open `photos.db` (any path that ends in .db) or a server's address.

        Where a warm process holds it, through that one (see `clipsearch.warm`). With `create` a
        missing file and its folder are made. A local store begins at once to load the collection
        `ahead`, if it is there. Raises UsageError on anything else, StoreError where the file is
        locked, foreign, read-only or (create=False) missing, or the server silent;
        DamagedStoreError where the file is broken.
        """
        address = locate(uri)
        direct = partial(
            Client, address.text, path=address.path, token=token, create=create, ahead=ahead
        )
        find = partial(Link.find, address.key, address.secret(token), create=create)
        client: Connection
        if link := find():
            client = RemoteClient(link, direct, uri=address.shown, path=address.path)
        else:
            try:
                client = direct()
            except StoreError:
                link = find()  # one may have started, and taken the file, in between
                if link is None:
                    raise
                client = RemoteClient(link, direct, uri=address.shown, path=address.path)
        try:
            return cls(client)
        except BaseException:
            client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def uri(self) -> str:
        """The server's address, or the absolute path of the file."""
        return self._client.uri

    @property
    def link(self) -> Link | None:
        """The link to the warm process that holds it; None where this process does."""
        return self._client.link if isinstance(self._client, RemoteClient) else None

    @property
    def is_local(self) -> bool:
        """Whether this is Milvus Lite."""
        return self._client.path is not None

    def collections(self) -> list[CollectionInfo]:
        """The collections, by name, damaged ones too.

        Those only half made or half dropped are left out, and those of a newer clipsearch.
        """
        there = set(self._client.names())
        return [info for info in self._catalog.infos() if info.rows or info.name in there]

    def create(self, name: str, model: ModelIdentity) -> Collection:
        """Make an empty collection for vectors of this model; raise StoreError where it exists."""
        if self.find(name) is not None:
            raise StoreError(f"the collection {name!r} exists already")
        layout = record_layout(model.dim)
        if name in self._client.names():
            # Left by a kill between the two steps below, or somebody else's.
            if self._client.fields(name).keys() != layout.names or self._client.count(name):
                raise StoreError(_foreign(name))
            self._client.drop(name)
        self._catalog.remove(name)  # what a kill in `drop` left
        self._client.create(name, layout)
        return Collection(self._client, self._catalog, self._catalog.add(name, model))

    def find(self, name: str) -> Collection | None:
        """Open a collection; None where clipsearch has made none.

        Raises StoreError on one of a newer clipsearch; DamagedStoreError where one is gone that had
        rows, or a local one lost rows.
        """
        check_name(name)
        return self._find(name, LOOKS)

    def collection(self, name: str) -> Collection:
        """Open a collection that must be there.

        Raises as `find` does; also MissingCollectionError, naming those there are, and StoreError
        on one that clipsearch did not make.
        """
        if (found := self.find(name)) is not None:
            return found
        if name in self._client.names():
            raise StoreError(_foreign(name))
        names = [known.name for known in self.collections()]
        have = (
            f"there are {', '.join(map(repr, names))}"
            if names
            else "there are none: ingest photos first"
        )
        raise MissingCollectionError(f"no collection {name!r} in {self.uri}; {have}")

    def drop(self, name: str) -> None:
        """Delete a collection, its vectors and all that is known of it; the photos stay."""
        check_name(name)
        there, known = name in self._client.names(), name in self._catalog.names()
        if there and not known:
            raise StoreError(_foreign(name))
        if not known:
            self.collection(name)  # says what is missing
        self._catalog.set_rows(name, 0)  # or a kill after the next line would look like damage
        if there:
            self._client.drop(name)
        self._catalog.remove(name)

    def disk_bytes(self) -> int | None:
        """The size of a local store; None for a server."""
        return local_store.disk_bytes(self._client.path) if self._client.path else None

    def close(self) -> None:
        """Disconnect, and end Milvus Lite; more than once is fine."""
        self._client.close()

    def _find(self, name: str, looks: int) -> Collection | None:
        info = self._catalog.info(name)
        if info is None:
            return None
        there = name in self._client.names()
        if not there and not info.rows:
            return None  # left by a kill in `drop`
        # Only local files get damaged without a word, and a server may have to load all to count.
        rows = (self._client.count(name) if self.is_local else info.rows) if there else 0
        if rows >= info.rows:
            return Collection(self._client, self._catalog, info)
        if looks > 1:  # another process may delete through the warm one: it lowers the bound first
            return self._find(name, looks - 1)
        raise DamagedStoreError(
            f"{self.uri} is damaged: the collection {name!r} has {rows} rows, but {info.rows} or "
            f"more were written; restore a copy, or `clipsearch drop {name} --yes` and ingest again"
        )


def check_name(name: str) -> None:
    """Raise UsageError unless Milvus takes it as a collection's name and it is not the catalog."""
    if not _NAME.fullmatch(name) or name == CATALOG:
        raise UsageError(
            f"{name!r} cannot be a collection: letters, digits and _ only, not a digit first, 255 at "
            f"most, and not {CATALOG}"
        )


def _foreign(name: str) -> str:
    return f"the collection {name!r} was not made by clipsearch: use another name"
