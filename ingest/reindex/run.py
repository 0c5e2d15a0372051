"""Reindexing: build the next generation of a collection, verify it, and switch."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clipsearch import arguments
from clipsearch.errors import ClipsearchError, ReindexedError
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.models import equivalence
from clipsearch.models.base import Encoder
from clipsearch.store import Collection, CollectionInfo, Store
from clipsearch.store.catalog_entry import Generation
from clipsearch.store.generations import Generations
from clipsearch.store.index.choice import choose_kind
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.index.wait import wait_for_index
from clipsearch.textness import Textness
from clipsearch.transfer.catalog_facts import copy_roots
from clipsearch.transfer.outdated_texts import remove_outdated
from clipsearch.types import Failure
from ingest.reindex.copied_rows import CopiedRows
from ingest.reindex.embedded_rows import EmbeddedRows
from ingest.reindex.reconcile import copy_archives, reconcile
from ingest.reindex.report import ReindexReport
from ingest.reindex.verify import verify

log = logging.getLogger("clipsearch")

GRACE_SECONDS = 8.0
"""Between a switch on a server and the deletion of the old rows: until then other processes have
noticed it. They look once a second, and read what was written up to five seconds before."""

NO_ROW = "its row is damaged: `clipsearch check --repair` restores it"


@dataclass(frozen=True, slots=True)
class ReindexOptions:
    """How to reindex.

    `allow_missing` switches although images are lost, as their files have gone or cannot be
    decoded. `drop_old` deletes the old rows after the switch. Images with more pixels than
    `max_pixels` are rejected. `index` is the kind of the new index, by default that of the old one.
    `force` rebuilds a collection that is up to date.
    """

    allow_missing: bool = False
    drop_old: bool = False
    max_pixels: int = MAX_PIXELS
    index: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        for name in ("allow_missing", "drop_old", "force"):
            object.__setattr__(self, name, arguments.flag(name, getattr(self, name)))


def reindex(
    store: Store,
    name: str,
    model: str | Encoder | None,
    load: Callable[[str], Encoder],
    options: ReindexOptions,
    open_progress: OpenProgress = no_progress,
    *,
    approve: Callable[[Collection], None] | None = None,
) -> ReindexReport | None:
    """Rebuild a collection by a model, in the present schema; None if it is up to date.

    Without a model the collection keeps its own, or continues an unfinished reindex. `load` loads a
    model by name. With the same model, rows are copied with their vectors. The old generation
    answers until the new one is complete and verified. `approve` gets the new one before the
    switch, with its index built, and prevents it by an error.
    """
    completed = _complete_switch(store, name, model, load, options)
    info = store.generations(name).info
    if model is None and info.next is not None:
        model = info.next.model.name if info.next.model != info.model else None
    encoder = load(model) if isinstance(model, str) else model
    if encoder is not None and not equivalence.difference(encoder, info.model):
        encoder = None
    index = None if options.index is None else _choose_index(store, info, options.index)
    is_current = info.is_up_to_date and (index is None or index.kind == info.index.kind)
    if encoder is None and is_current and (completed or not options.force):
        return completed
    return _Reindex(store, name, encoder, index, options, approve).run(open_progress)


def _complete_switch(
    store: Store,
    name: str,
    model: str | Encoder | None,
    load: Callable[[str], Encoder],
    options: ReindexOptions,
) -> ReindexReport | None:
    """Do the rest of a reindex that was killed after its switch; None if there was none."""
    info = store.generations(name).info
    if not info.is_catching_up:
        return None
    encoder = None if isinstance(model, str) else model
    if info.previous is None or info.previous.model == info.model:
        encoder = None  # rows are copied
    elif encoder is None or encoder.identity != info.model:
        encoder = load(info.model.name)
    return _Reindex(store, name, encoder, None, options, None).complete(info.generation)


def _choose_index(store: Store, info: CollectionInfo, kind: str) -> IndexSettings:
    recall = info.index.recall
    chosen = choose_kind(kind, store.backend.capabilities(), rows=info.rows, recall=recall)
    return IndexSettings(chosen.name, recall)


class _Reindex:
    """One run, which may continue an earlier one."""

    def __init__(
        self,
        store: Store,
        name: str,
        encoder: Encoder | None,
        index: IndexSettings | None,
        options: ReindexOptions,
        approve: Callable[[Collection], None] | None,
    ) -> None:
        self._started = time.monotonic()
        self._index = index
        self._approve = approve
        self._store = store
        self._name = name
        self._options = options
        self._generations: Generations = store.generations(name)
        self._encoder = encoder
        self._rows: EmbeddedRows | CopiedRows = (
            CopiedRows(options.max_pixels)
            if encoder is None
            else EmbeddedRows(encoder, options.max_pixels)
        )

    def run(self, open_progress: OpenProgress) -> ReindexReport:
        old = self._store.collection(self._name)
        model = old.info.model if self._encoder is None else self._encoder.identity
        with self._generations.writing():
            new = self._generations.begin(model, self._index)
        generation = new.info.generation
        try:
            self._build(old, new, open_progress)
            with self._generations.writing():
                new, lost = self._catch_up(generation)
                if lost and not self._options.allow_missing:
                    return self._report(new, lost)
                self._generations.switch(new)
        except ReindexedError:
            self._generations.drop_lost(generation)
            raise
        return self.complete(generation, lost)

    def complete(self, generation: Generation, lost: Sequence[Failure] = ()) -> ReindexReport:
        """Finish the writes of the generation that is in use now."""
        new = self._store.collection(self._name)
        if new.info.generation != generation:
            raise ReindexedError(f"another process reindexed {self._name!r} meanwhile")
        if new.info.is_catching_up:  # a server does not keep others from writing to the old rows
            if (old := self._generations.open_previous()) is not None:
                self._rows.fill(old, new)
            self._generations.settle(generation)
        remove_outdated(new)
        new.finish_writes()
        encoder = self._encoder
        if encoder is not None and Textness(new, lambda: encoder).find() is None:
            log.info("the textness probe of %s is fitted at its first use", new.info.model.name)
        if self._options.drop_old:
            drop_old(self._store, self._name)
        return self._report(new, lost)

    def _report(self, new: Collection, lost: Sequence[Failure]) -> ReindexReport:
        outcomes, info = self._rows.outcomes, self._generations.info
        return ReindexReport(
            collection=self._name,
            model=new.info.model.name,
            images=new.count(),
            embedded=outcomes["stored"],
            copied=outcomes["copied"] + outcomes["moved"],
            lost=tuple(lost),
            switched=info.milvus_name == new.info.milvus_name,
            previous=None if info.previous is None else info.previous.model.name,
            seconds=time.monotonic() - self._started,
        )

    def _build(self, old: Collection, new: Collection, open_progress: OpenProgress) -> None:
        """Write most rows, while others may write to the old generation."""
        copy_roots(old, new, delete=True)
        stage = "copy" if self._encoder is None else "embed"
        try:
            with open_progress(stage, old.count()) as progress:
                self._rows.fill(old, new, progress)
            reconcile(old, new)
        except BaseException:
            log.warning(
                "stopped; the old rows stay in use, and `clipsearch reindex` continues from here"
            )
            try:
                new.finish_writes()
            except ClipsearchError as error:
                log.warning("the interrupted reindex could not note its rows: %s", error)
            raise
        new.finish_writes()
        wait_for_index(self._store.backend, new.info.milvus_name)
        if self._approve is not None:
            self._approve(new)

    def _catch_up(self, generation: Generation) -> tuple[Collection, list[Failure]]:
        """Write what has changed meanwhile, and verify; return the new rows and what they lack."""
        old = self._store.collection(self._name)
        new = self._generations.open_next(generation, patient=not self._store.is_local)
        copy_roots(old, new, delete=True)
        self._rows.fill(old, new)
        result = reconcile(old, new)
        copy_archives(old, new, result.lacking)
        verify(new, result.rows)
        reasons = self._rows.reasons
        lost = [Failure(path, reasons.get(path, NO_ROW)) for path in result.lacking]
        return new, lost


def drop_old(store: Store, name: str) -> bool:
    """Delete the rows that a reindex replaced; tell whether there were any."""
    generations = store.generations(name)
    if generations.info.previous is None:
        return False
    if not store.is_local:
        time.sleep(GRACE_SECONDS)
    with generations.writing():
        return generations.drop_previous()


def roll_back(store: Store, name: str) -> str:
    """Use the rows again that a reindex replaced; return their model. Raises StoreError."""
    generations = store.generations(name)
    with generations.writing():
        return generations.roll_back().model.name


def cancel(store: Store, name: str) -> bool:
    """Delete the rows of an unfinished reindex; tell whether there were any."""
    generations = store.generations(name)
    with generations.writing():
        return generations.drop_next()
