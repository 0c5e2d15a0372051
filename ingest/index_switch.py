"""Replacing the index of a collection, and comparing the recall before and after."""

import time
from dataclasses import dataclass
from typing import Never

from clipsearch.errors import StoreError, UsageError
from clipsearch.evaluation import RecallMeter, tune_index
from clipsearch.files.progress import OpenProgress, no_progress, show_covered_rows
from clipsearch.store import Collection, Store
from clipsearch.store.index.choice import choose_kind
from clipsearch.store.index.kinds import INDEX_KINDS, IndexKind
from clipsearch.store.index.wait import wait_for_index
from ingest.reindex.run import ReindexOptions, cancel, reindex

LOST_RECALL = 0.01
"""Less recall than before by more than this is worth a refusal or a warning."""


@dataclass(frozen=True, slots=True)
class SwitchReport:
    """The kinds and the recall@10 before and after.

    `seconds` is the time that the new index took, `offline_seconds` that in which no search was
    answered.
    """

    before: str
    after: str
    recall_before: float
    recall_after: float
    seconds: float
    offline_seconds: float

    @property
    def is_worse(self) -> bool:
        """Whether searches find clearly fewer of the nearest images."""
        return self.recall_after < self.recall_before - LOST_RECALL


def replace_by_copy(
    store: Store,
    name: str,
    kind: str | None,
    *,
    accept_worse: bool = False,
    open_progress: OpenProgress = no_progress,
) -> SwitchReport:
    """Copy the rows into a collection with another index, and switch; None is the present kind.

    The old index answers until the new one is complete, tuned, and compared. Raises StoreError, and
    keeps the old one, if rows are damaged, or if the new one finds fewer of the nearest images,
    unless `accept_worse`; UsageError as `replace_in_place` does.
    """
    chosen = _choose(store, name, kind)
    old = store.collection(name)
    store.generations(name).check_next(old.info.model, chosen.name)
    meter = _meter(old, open_progress)
    before = after = meter.measure(old.index).recall
    started = time.monotonic()

    def approve(new: Collection) -> None:
        nonlocal after
        after = _tune(new, meter)
        if after < before - LOST_RECALL and not accept_worse:
            cancel(store, name)
            raise StoreError(
                f"the index {old.index.settings.kind} stays: {chosen.name} finds {after:.3f} of "
                f"the nearest images, less than {before:.3f}; --accept-worse uses it nevertheless"
            )

    options = ReindexOptions(index=chosen.name, drop_old=True, force=True)
    done = reindex(store, name, None, _load_nothing, options, open_progress, approve=approve)
    if done is not None and not done.switched:
        raise StoreError(
            f"the index {old.index.settings.kind} stays: damaged rows ({len(done.lost):,}) cannot "
            "be copied; `clipsearch check --repair` restores them, then run the same command again"
        )
    seconds = time.monotonic() - started
    return SwitchReport(old.index.settings.kind, chosen.name, before, after, seconds, 0.0)


def replace_in_place(
    store: Store, name: str, kind: str | None, open_progress: OpenProgress = no_progress
) -> SwitchReport:
    """Build another index over the same rows; None is the kind of the present one.

    Searches fail until the collection is loaded again, and then use a rough index until the new one
    is complete. It is tuned to the recall that is wanted. Raises UsageError on Milvus Lite, and on
    a kind that the server does not have, before anything is changed.
    """
    collection = store.collection(name)
    if not collection.index.describe().index_type:
        # A kill within `replace` dropped it: without an index nothing can be read or counted.
        collection.index.replace(INDEX_KINDS[collection.index.settings.kind])
    chosen = _choose(store, name, kind)
    present = collection.index.settings.kind
    meter = _meter(collection, open_progress)
    before = meter.measure(collection.index).recall
    started = time.monotonic()
    collection.index.replace(chosen)
    offline = time.monotonic() - started
    _wait(store, collection, open_progress)
    seconds = time.monotonic() - started
    after = _tune(collection, meter)
    return SwitchReport(present, chosen.name, before, after, seconds, offline)


def _choose(store: Store, name: str, kind: str | None) -> IndexKind:
    capabilities, collection = store.backend.capabilities(), store.collection(name)
    if capabilities.is_local:
        raise UsageError(
            f"{capabilities.server} scans all vectors of {name!r}: there is no index to replace"
        )
    settings = collection.index.settings
    named = settings.kind if kind is None else kind
    return choose_kind(named, capabilities, rows=collection.count(), recall=settings.recall)


def _meter(collection: Collection, open_progress: OpenProgress) -> RecallMeter:
    with open_progress("exact search", None) as progress:
        return RecallMeter(collection, progress=progress)


def _tune(collection: Collection, meter: RecallMeter) -> float:
    """Tune an index and store the result; return its recall then."""
    report = tune_index(collection.index, meter)
    if report.tuning:
        collection.index.set_tuning(report.tuning)
    return meter.measure(collection.index).recall


def _wait(store: Store, collection: Collection, open_progress: OpenProgress) -> None:
    with open_progress("build", None) as bar:
        show = show_covered_rows(bar)
        pending = wait_for_index(store.backend, collection.info.milvus_name, show)
    if pending:
        raise StoreError(
            f"the index of {collection.info.name!r} is still being built: `clipsearch index` shows "
            "how many rows are left, and `clipsearch tune` measures it then"
        )


def _load_nothing(name: str) -> Never:
    raise StoreError(f"an index is replaced without its model, {name}")
