"""A backend that reads the file of Milvus Lite 2.5 until a call needs Milvus Lite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.store.index.kinds import Params
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite.check import LiteCheck
from clipsearch.store.milvus_lite.file import LiteFile
from clipsearch.store.milvus_lite.redo_log import redo_path
from clipsearch.store.schema import Entity
from clipsearch.types import Vectors
from clipsearch.uri import StoreURI

T = TypeVar("T")


class FileBackend(MilvusBackend):
    """A MilvusBackend that answers a query without filters from the file, which it locks.

    The first call that the file cannot answer starts Milvus Lite, which then answers that call and
    all others: writes, filters on other fields than the primary key, damaged files, and all calls
    if another store of this process has started it.
    """

    def __init__(
        self,
        uri: StoreURI,
        *,
        token: str | None,
        create: bool,
        preload: str | None = None,
        consistency: Consistency = DEFAULT,
    ) -> None:
        """Lock the file; the other arguments are those of MilvusBackend, for its start."""
        super().__init__(
            uri, token=token, create=create, preload=preload, lazy=True, consistency=consistency
        )
        # Rows may be missing from a file within whose last write a process was killed.
        is_complete = uri.path is not None and not redo_path(uri.path.resolve()).exists()
        self._file = LiteFile(uri.path) if uri.path is not None and is_complete else None

    def close(self) -> None:
        """Unlock the file, and end Milvus Lite after its last user; may be called repeatedly."""
        self._close_file()
        super().close()

    def collection_names(self) -> list[str]:
        """List all collections in Milvus, including those of other programs."""
        names = self._read(LiteFile.collection_names)
        return super().collection_names() if names is None else names

    def count(
        self, name: str, condition: str = "", *, consistency: Consistency | None = None
    ) -> int:
        """Count the matching rows."""
        rows = self._read(lambda file: file.count(name, condition))
        if rows is None:
            return super().count(name, condition, consistency=consistency)
        return rows

    def query(
        self,
        name: str,
        condition: str,
        fields: Sequence[str],
        limit: int,
        *,
        consistency: Consistency | None = None,
    ) -> list[Entity]:
        """Return up to `limit` matching entities, in no defined order."""
        entities = self._read(lambda file: file.query(name, condition, fields, limit))
        if entities is None:
            return super().query(name, condition, fields, limit, consistency=consistency)
        return entities

    def search(
        self,
        name: str,
        queries: Vectors,
        *,
        vector: str,
        limit: int,
        offset: int,
        condition: str,
        fields: Sequence[str],
        params: Params,
        consistency: Consistency | None = None,
    ) -> list[list[tuple[float, Entity]]]:
        """Return the nearest entities with their cosine for each of (n, d) queries, best first."""
        hits = slice(offset, offset + limit)
        results = self._read(lambda file: file.search(name, queries, condition, fields, hits))
        if results is not None:
            return results
        return super().search(
            name,
            queries,
            vector=vector,
            limit=limit,
            offset=offset,
            condition=condition,
            fields=fields,
            params=params,
            consistency=consistency,
        )

    @contextmanager
    def checking(self) -> Iterator[LiteCheck | None]:
        """Yield checks of the file; None once Milvus Lite runs, or with a redo log to write."""
        self._reopen_file()
        path = self.path
        with self._connection.unstarted() as is_unstarted:
            if path is None or self._file is None or not is_unstarted:
                yield None
            else:
                file = LiteCheck(path)
                file.roll_back()  # Milvus Lite would, but cannot load a file with damaged rows
                yield file
        self._reopen_file()

    def _reopen_file(self) -> None:
        """Forget what was read."""
        if self._file is not None and self.path is not None:
            self._file.close()
            self._file = LiteFile(self.path)

    def _read(self, answer: Callable[[LiteFile], T]) -> T | None:
        """Return what the file answers; None if Milvus Lite must answer."""
        if self._file is not None:
            with self._connection.unstarted() as is_unstarted:
                if is_unstarted:
                    try:
                        return answer(self._file)
                    except Exception:  # noqa: BLE001 - a damaged file may raise any
                        pass
        self._close_file()
        return None

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
