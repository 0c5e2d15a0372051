"""The only user of pymilvus: calls with their traps handled, and its errors translated."""

from __future__ import annotations

import importlib
import os
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.daemon.endpoint import without_password
from clipsearch.errors import StoreError, UsageError
from clipsearch.store import local_store
from clipsearch.store.error_text import line, short
from clipsearch.store.fields import LIST_TEXT_BYTES, Layout
from clipsearch.store.local_store import LocalServer
from clipsearch.store.milvus_lite import PARSER, library
from clipsearch.store.pymilvus_import import pymilvus
from clipsearch.store.schema import RECORD_FIELDS, Row
from clipsearch.types import Vectors

MAX_RESULTS = 16_384
"""Rows of one query, and offset + limit of one search, on every Milvus."""

CONNECT_SECONDS = 5.0
CALL_SECONDS = 300.0
"""Without a limit pymilvus asks a dead server again for minutes."""

WRITE_ROWS = 2_000
"""Rows of one upsert: Milvus Lite 2.5.1 needs 25 s for 4,000."""

RESERVE_BYTES = 64 << 20
"""Free disk that a local write leaves: Milvus Lite 2.5.1 hangs for ever on a full one."""

METRIC = "IP"
"""Of rows of length 1 that is the cosine, in two thirds of its time on Milvus Lite."""

ROW_BYTES = 4_096
"""Disk of a row beside its vector, generously (the vector is stored about twice)."""

LONGEST_AHEAD = 127
"""Of a name whose length is one byte in a protobuf message; none is as long."""

_STRONG = {"consistency_level": "Strong", "timeout": CALL_SECONDS}


class Client:
    """One connection to Milvus. Not for several threads at once, nor across a fork."""

    def __init__(
        self,
        uri: str,
        *,
        path: Path | None,
        token: str | None,
        create: bool,
        ahead: str | None = None,
    ) -> None:
        """Connect to the server at `uri`, or start Milvus Lite on `path`.

        Lite begins at once to load the collection `ahead`, which takes most of the time of opening
        a large one; it need not be there.
        """
        self.uri = without_password(uri)  # shown in messages
        self._address = uri  # later, that of the Milvus Lite it is connected to
        self.path = path
        self._milvus: Any = None
        self._loaded: set[str] = set()
        self._token = token
        self._server: LocalServer | None = None
        self._channel: Any = None
        if path is None or library() is None:
            pymilvus()  # before Milvus Lite 3, which imports it too
        if path is not None:
            self._server = local_store.acquire(path, create=create)
            # A store that nobody closed gives the file free with its last reference.
            self._release = weakref.finalize(
                self, local_store.release, self._server.path, os.getpid()
            )
        try:
            if ahead is not None and library() is not None and self._server:
                self._channel = _begin_loading(self._server.address, ahead)
            self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect; end Milvus Lite where this was its last user. More than once is fine."""
        if self._milvus is not None:
            self._milvus.close()
            self._milvus = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._server is not None:
            self._release()

    def claim(self) -> int:
        """Nothing to do: a file has one process, and a server's collections no lower bounds."""
        return 0

    def disclaim(self) -> None:
        """Nothing to do."""

    def names(self) -> list[str]:
        """All collections of Milvus, ours or not."""
        with self._calling():
            return sorted(self._live().list_collections(timeout=CALL_SECONDS))

    def create(self, name: str, layout: Layout) -> None:
        """Make a collection with its index and load it."""
        with self._calling():
            self._need_room(0)
            milvus, kinds = self._live(), pymilvus().DataType
            schema = milvus.create_schema(auto_id=False, enable_dynamic_field=False)
            for field, length in layout.texts.items():
                schema.add_field(
                    field, kinds.VARCHAR, max_length=length, is_primary=field == layout.key
                )
            for field in layout.numbers:
                schema.add_field(field, kinds.INT64)
            for field, capacity in layout.lists.items():
                schema.add_field(
                    field,
                    kinds.ARRAY,
                    element_type=kinds.VARCHAR,
                    max_capacity=capacity,
                    max_length=LIST_TEXT_BYTES,
                )
            schema.add_field(layout.vector, kinds.FLOAT_VECTOR, dim=layout.dim)
            graph = layout.graph and self.path is None
            index = milvus.prepare_index_params()
            index.add_index(
                layout.vector,
                index_name=layout.vector,
                index_type="HNSW" if graph else "FLAT",
                metric_type=METRIC,
                params={"M": 16, "efConstruction": 200} if graph else {},
            )
            milvus.create_collection(name, schema=schema, num_shards=1, timeout=CALL_SECONDS)
            # Of no rows the index is there at once, while pymilvus would first sleep for half a second.
            milvus.create_index(name, index, timeout=CALL_SECONDS, sync=False)
            milvus.load_collection(name, timeout=CALL_SECONDS)
            self._loaded.add(name)

    def fields(self, name: str) -> dict[str, int | None]:
        """The fields of a collection, and the dimension of those that are vectors."""
        with self._calling():
            description = self._live().describe_collection(name, timeout=CALL_SECONDS)
            return {f["name"]: f.get("params", {}).get("dim") for f in description["fields"]}

    def drop(self, name: str) -> None:
        """Delete a collection."""
        with self._calling():
            self._live().drop_collection(name, timeout=CALL_SECONDS)
            self._loaded.discard(name)

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        """Write rows of different keys, replacing those of the same key."""
        for part in chunks(rows, WRITE_ROWS):
            vectors = sum(
                v.nbytes for row in part for v in row.values() if isinstance(v, np.ndarray)
            )
            with self._calling():
                self._need_room(2 * vectors + len(part) * ROW_BYTES)
                self._ready(name).upsert(name, list(part), timeout=CALL_SECONDS)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete rows by their primary keys."""
        for part in chunks(keys, WRITE_ROWS):
            with self._calling():
                self._ready(name).delete(name, ids=list(part), timeout=CALL_SECONDS)

    def flush(self, name: str) -> None:
        """Make a server seal what was written, so that its index comes to cover it."""
        with self._calling():
            self._live().flush(name, timeout=CALL_SECONDS)

    def count(self, name: str, where: str = "") -> int:
        """How many rows match, after every write so far."""
        with self._calling((name, where)):
            found = self._ready(name).query(
                name, filter=where, output_fields=["count(*)"], **_STRONG
            )
            return int(found[0]["count(*)"])

    def is_loaded(self, name: str) -> bool:
        """Whether it can be read at once; else a server first loads it into its memory."""
        with self._calling():
            state = self._live().get_load_state(name, timeout=CALL_SECONDS)["state"]
            return bool(state == pymilvus().client.types.LoadState.LoadedImage)

    def query(self, name: str, where: str, fields: Sequence[str], limit: int) -> list[Row]:
        """Up to `limit` rows that match, in no order that could be relied on."""
        with self._calling():
            found = self._ready(name).query(
                name, filter=where, output_fields=list(fields), limit=limit, **_STRONG
            )
            return [dict(row) for row in found]

    def search(
        self,
        name: str,
        queries: Vectors,
        *,
        vector: str,
        limit: int,
        offset: int,
        where: str,
        fields: Sequence[str],
    ) -> list[list[tuple[float, Row]]]:
        """For each of (n, d) queries of length 1 the nearest rows with their cosine, best first.

        By the metric of the collection's index, which was COSINE in older ones.
        """
        breadth = {} if self.path else {"ef": search_breadth(limit + offset)}
        with self._calling((name, where)):
            found = self._ready(name).search(
                name,
                list(queries),
                filter=where,
                limit=limit,
                anns_field=vector,
                output_fields=list(fields),
                search_params={"offset": offset, "params": breadth},
                **_STRONG,
            )
            return [[(float(hit["distance"]), hit["entity"]) for hit in hits] for hits in found]

    def _connect(self) -> None:
        address = self._server.address if self._server else self._address
        options: dict[str, Any] = {"token": self._token} if self._token else {}
        if self._server is not None:
            # Lite hangs up on whoever asks every ten seconds whether it is still there.
            options["grpc_options"] = {"grpc.keepalive_time_ms": 2**31 - 1}
        try:
            self._milvus = pymilvus().MilvusClient(
                address, timeout=CONNECT_SECONDS, dedicated=True, **options
            )
        except ValueError as error:
            raise UsageError(f"{self.uri} is not the address of a server: {line(error)}") from error
        except _foreign() as error:
            raise StoreError(f"no Milvus answers at {self.uri}: {line(error)}") from error
        self._address = address
        self._loaded.clear()

    def _live(self) -> Any:
        if self._milvus is None:
            raise StoreError(f"the store {self.uri} is closed")
        if self._server is not None:
            if not self._server.alive():
                self._server.restart()
            if self._address != self._server.address:  # restarted by this client or another
                self._milvus.close()
                self._connect()
        return self._milvus

    def _ready(self, name: str) -> Any:
        """Connected, with the collection loaded: a new process must load before it reads."""
        milvus = self._live()
        if name not in self._loaded:
            milvus.load_collection(name, timeout=CALL_SECONDS)
            self._loaded.add(name)
        return milvus

    def _need_room(self, size: int) -> None:
        if self.path is not None and local_store.free_bytes(self.path) < size + RESERVE_BYTES:
            raise StoreError(
                f"the disk of {self.path} is full: nothing was written; make room "
                f"({(size + RESERVE_BYTES) >> 20} MB) and run again"
            )

    @contextmanager
    def _calling(self, blame: tuple[str, str] | None = None) -> Iterator[None]:
        """Translate what pymilvus raises; `blame` is a collection and the caller's filter on it."""
        try:
            yield
        except _foreign() as error:
            died = self._server is not None and not self._server.alive()
            said = self._server.last_words() if self._server is not None else ""
            reason = short(said) if died or said.startswith(PARSER) else line(error)
            if blame and blame[1] and self._answers_unfiltered(blame[0]):
                raise UsageError(
                    f"Milvus cannot read the filter {short(blame[1])!r}: {reason} "
                    f"(fields: {', '.join(RECORD_FIELDS)})"
                ) from error
            if died:
                raise StoreError(f"{self.uri}: Milvus Lite ended: {reason}; run again") from error
            raise StoreError(f"Milvus at {self.uri} failed: {reason}") from error

    def _answers_unfiltered(self, name: str) -> bool:
        """Whether it was the filter: every Milvus has another error for each kind of bad filter."""
        # The first call may meet a Milvus Lite that is just dying of the filter.
        for pause in (0, 0.1) if self._server else (0,):
            time.sleep(pause)
            with suppress(StoreError):
                return self.count(name) >= 0
        return False


def search_breadth(results: int) -> int:
    """How many rows HNSW keeps in view (`ef`) to find this many, of which Milvus takes 32,768.

    Twice as many, since with just as many it misses some of the last; at least 128, so that short
    lists are nearly exact; a power of two, so that most pages of one search agree with each other.
    """
    return max(128, 1 << (2 * results - 1).bit_length())


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _begin_loading(address: str, name: str) -> Any:
    """Ask Milvus Lite to load a collection, before the time in which pymilvus is imported.

    One call by hand, whose answer nobody awaits: pymilvus asks again, and all other calls wait for
    it. In milvus.proto the third field of LoadCollectionRequest is the name. Returns the channel,
    whose closing ends it.
    """
    grpc: Any = importlib.import_module("grpc")
    text = name.encode()[:LONGEST_AHEAD]
    channel = grpc.insecure_channel(address)
    load = channel.unary_unary("/milvus.proto.milvus.MilvusService/LoadCollection")
    load.future(b"\x1a" + bytes([len(text)]) + text, timeout=CALL_SECONDS)
    return channel


def _foreign() -> tuple[type[Exception], ...]:
    """What a call may raise: its own errors, those of gRPC where it forgets to wrap them, and
    those of a disk or of starting Milvus Lite again.
    """
    grpc: Any = importlib.import_module("grpc")
    return (pymilvus().MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError)
