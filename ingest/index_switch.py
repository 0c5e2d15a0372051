"""Replacing the index of a collection, and comparing the recall before and after."""

import time
from dataclasses import dataclass

from clipsearch.errors import StoreError, UsageError
from clipsearch.evaluation import RecallMeter, tune_index
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.store import Store
from clipsearch.store.index_choice import choose_kind
from clipsearch.store.index_wait import wait_for_index

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


def replace_in_place(
    store: Store, name: str, kind: str | None, open_progress: OpenProgress = no_progress
) -> SwitchReport:
    """Build another index over the same rows; None is the kind of the present one.

    Searches fail until the collection is loaded again, and then use a rough index until the new one
    is complete. It is tuned to the recall that is wanted. Raises UsageError on Milvus Lite, and on
    a kind that the server does not have, before anything is changed.
    """
    collection = store.collection(name)
    settings, capabilities = collection.index.settings, store.backend.capabilities()
    if capabilities.is_local:
        raise UsageError(
            f"{capabilities.server} scans all vectors of {name!r}: there is no index to replace"
        )
    rows = collection.count()
    chosen = choose_kind(
        settings.kind if kind is None else kind, capabilities, rows=rows, recall=settings.recall
    )
    with open_progress("exact search", rows) as progress:
        meter = RecallMeter(collection, progress=progress)
    before = meter.measure(collection.index).recall
    started = time.monotonic()
    collection.index.replace(chosen)
    offline = time.monotonic() - started
    with open_progress("build", rows) as progress:
        shown = 0

        def show(covered: int, _: int) -> None:
            nonlocal shown
            if progress is not None:
                progress.update(covered - shown)
            shown = covered

        pending = wait_for_index(store.backend, collection.info.milvus_name, show)
    if pending:
        raise StoreError(
            f"the index of {name!r} is still being built: `clipsearch index` shows how many rows "
            "are left, and `clipsearch tune` measures it then"
        )
    seconds = time.monotonic() - started
    report = tune_index(collection.index, meter)
    if report.tuning:
        collection.index.set_tuning(report.tuning)
    after = meter.measure(collection.index).recall
    return SwitchReport(settings.kind, chosen.name, before, after, seconds, offline)
