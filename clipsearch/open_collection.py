"""A collection that a session uses, also after another process has reindexed it."""

import time
from collections.abc import Callable
from typing import Self, TypeVar

from clipsearch.errors import StoreError
from clipsearch.model_match import find_matching
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.store import Collection, Store

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""How long a session uses a collection before it looks whether another process reindexed it."""


class OpenCollection:
    """An open store and one of its collections, in the generation that is in use."""

    def __init__(self, store: Store, name: str, model: str | Encoder | None) -> None:
        """Find the collection, which need not exist; `close` closes the store.

        Raises ModelMismatchError if another model made it.
        """
        self.store = store
        self.name = name
        self._model = model
        self._encoder: Encoder | None = None
        self._collection = find_matching(store, name, model)
        self._looked = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, so that another process can open a local one."""
        self.store.close()

    @property
    def collection(self) -> Collection:
        """The collection; raises MissingCollectionError if it does not exist yet."""
        self._collection = self._collection or self.store.collection(self.name)
        return self._collection

    def find_collection(self) -> Collection | None:
        """Return the collection, or None if it does not exist."""
        return self._collection

    @property
    def model(self) -> ModelIdentity | None:
        """The model of the collection; None if the collection does not exist."""
        return None if self._collection is None else self._collection.info.model

    def refresh(self, *, now: bool = False) -> bool:
        """Use the generation in use, with its model, if the collection was reindexed.

        Returns whether it was. Looks at most once a second, unless `now`: until then the searches
        of the old generation, by its model, are consistent, too. Raises ModelMismatchError if the
        session was opened with a model that is not the new one.
        """
        moment = time.monotonic()
        if self._collection is None or (not now and moment - self._looked < FRESH_SECONDS):
            return False
        self._looked = moment
        if self.store.is_current(self._collection, strong=now):
            return False
        made_by = self._collection.info.model
        self._collection = find_matching(self.store, self.name, self._model)
        if self._collection is None or self._collection.info.model != made_by:
            self._encoder = None
        return True

    def read(self, action: Callable[[Collection], T]) -> T:
        """Call a function that reads the collection; again if a reindex replaced it meanwhile.

        The function gets the collection whose model `load` returns until it ends.
        """
        self.refresh()
        try:
            return action(self.collection)
        except StoreError:
            if not self.refresh(now=True):
                raise
            return action(self.collection)
