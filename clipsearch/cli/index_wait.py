"""Waiting for the index of a server after an ingestion, with a progress bar."""

from clipsearch import interrupt
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.store.index.choice import index_advice
from clipsearch.store.index.settings import wanted_recall


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
        problem = "" if pending else _describe_low_recall(index)
    except KeyboardInterrupt:
        interrupt.clear()
        say(
            "stopped waiting: all images are stored, and the server goes on building its index; "
            "until it is ready, a search may miss images (`clipsearch status`)"
        )
        return
    if pending:
        say(f"index being built: {pending:,} rows pending; `clipsearch status` shows how many")
    elif problem:
        say(problem)
    info = index.collection.info
    if advice := index_advice(info.index, index.store.backend.capabilities(), info.rows):
        say(advice)


def _describe_low_recall(index: Index) -> str:
    """Say if the index surely finds fewer of the nearest images than is wanted, and what to do."""
    from clipsearch.evaluation.recall_sample import ERROR, estimate_recall  # late: rarely needed

    recall = estimate_recall(index.collection)
    wanted = wanted_recall(index.collection.info.index)
    if recall is None or recall >= wanted - ERROR:
        return ""
    return (
        f"the index finds about {recall:.0%} of the nearest images, not {wanted:.0%}: "
        "`clipsearch tune` searches more thoroughly"
    )
