"""Waiting for the index of a server after an ingestion, with a progress bar."""

from clipsearch import interrupt
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.store.index_choice import index_advice

WANTED_RECALL = 0.95
"""An estimate below it is worth a warning."""


def wait_for_index(index: Index, *, quiet: bool) -> None:
    """Wait until the index covers the images; say how good it is if it is not good.

    Ctrl-C stops the waiting only.
    """
    if index.store.is_local or index.find_collection() is None:
        return
    say = (lambda _: None) if quiet else note
    try:
        with progress_bar("building the index", unit=" rows", quiet=quiet) as bar:
            pending = index.wait_for_index(bar)
        recall = None if pending else _estimate_recall(index)
    except KeyboardInterrupt:
        interrupt.clear()
        say(
            "stopped waiting: all images are stored, and the server goes on building its index; "
            "until it is ready, a search may miss images (`clipsearch status`)"
        )
        return
    if pending:
        say(f"index being built: {pending:,} rows pending; `clipsearch status` shows how many")
    elif recall is not None and recall < WANTED_RECALL:
        say(
            f"the index finds about {recall:.0%} of the nearest images: `clipsearch tune` searches "
            "more thoroughly"
        )
    info = index.collection.info
    if advice := index_advice(info.index, index.store.backend.capabilities(), info.rows):
        say(advice)


def _estimate_recall(index: Index) -> float | None:
    from clipsearch.evaluation.recall_sample import estimate_recall  # late: rarely needed

    return estimate_recall(index.collection)
