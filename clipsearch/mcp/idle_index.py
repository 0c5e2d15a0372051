"""An index that is open only while it is used, so that other commands can use the store."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clipsearch.errors import ModelMismatchError, StoreError
from clipsearch.index import Index
from clipsearch.models.base import Encoder
from clipsearch.session import daemon_of

STORE_IDLE = 0.5
"""Seconds without use after which the store is closed. Another command that finds a local store
locked waits for a second."""

MODEL_IDLE = 600.0
"""Seconds without use after which the model is unloaded."""


class IdleIndex:
    """Opens an index when it is used, and closes it soon after; thread-safe, for one use at a time.

    The model stays loaded for longer than the store is open, as loading it may take seconds.
    """

    def __init__(
        self,
        open_index: Callable[[Encoder | None], Index],
        *,
        store_idle: float = STORE_IDLE,
        model_idle: float = MODEL_IDLE,
    ) -> None:
        """Use `open_index`, which gets the collection's model if that is still loaded."""
        self._open_index = open_index
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._idle_times = {self._close_index: store_idle, self._unload: model_idle}
        self._index: Index | None = None
        self._encoder: Encoder | None = None

    @contextmanager
    def use(self) -> Iterator[Index]:
        """Yield the open index; one thread at a time gets it. Raises what opening it raises."""
        with self._lock:
            self._stop_timers()
            try:
                if self._index is None:
                    self._index = self._open()
                yield self._index
            except StoreError:  # of a collection that was dropped, a server that was restarted, …
                self._close_index()
                raise
            finally:
                self._start_timers()

    def load(self) -> Encoder:
        """Return the model of the index, within `use`; it stays loaded unless a daemon has it."""
        assert self._index is not None
        encoder = self._index.load()
        if daemon_of(self._index.store) is None:
            self._encoder = encoder
        return encoder

    def close(self) -> None:
        """Close the index and unload the model; the next use opens it again."""
        with self._lock:
            self._stop_timers()
            self._close_index()
            self._unload()

    def _open(self) -> Index:
        try:
            return self._open_index(self._encoder)
        except ModelMismatchError:
            if self._encoder is None:
                raise
            self._unload()  # the collection was made again, with another model
            return self._open_index(None)

    def _close_index(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def _unload(self) -> None:
        self._encoder = None

    def _start_timers(self) -> None:
        for action, seconds in self._idle_times.items():
            timer = threading.Timer(seconds, self._run_if_idle)
            timer.args = (timer, action)
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _run_if_idle(self, timer: threading.Timer, action: Callable[[], None]) -> None:
        with self._lock:
            if timer in self._timers:  # not stopped while it waited for the lock
                action()
