"""Which images of a collection to read, and in which order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.store import Collection, filters
from clipsearch.store.schema import EMBEDDING
from clipsearch.store.texts import TextState
from clipsearch.textness.probe import TextnessProbe
from clipsearch.transfer.copy_rows import id_ranges
from clipsearch.transfer.outdated_texts import outdated
from ingest.ocr.chosen_images import ChosenImages
from ingest.ocr.options import ReadOptions
from ingest.ocr.report import ReadTally

KEYS = 256
"""Ids in a condition for vectors: their rows are about one page of every Milvus."""


@dataclass(slots=True)
class Pending:
    """The ids of images to read, and their textness; memory is about 36 bytes for each.

    `outdated` are ids of texts that are not of the present content of an image.
    """

    ids: list[NDArray[np.bytes_]] = field(default_factory=list)
    textness: list[NDArray[np.float32]] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)

    def in_order(self) -> NDArray[np.bytes_]:
        """Return the ids, those with the most textness first."""
        if not self.ids:
            return np.array([], dtype="S32")
        order = np.argsort(-np.concatenate(self.textness), kind="stable")
        return np.concatenate(self.ids)[order]


def find_pending(
    collection: Collection,
    chosen: ChosenImages,
    reader: str,
    options: ReadOptions,
    tally: ReadTally,
    probe: TextnessProbe | None,
) -> Pending:
    """Find those of some images that have no current text.

    Without a probe all are read, in the order of their ids. Counts the others.
    """
    pending = Pending()
    for low, high in id_ranges(collection.count()):
        in_range = filters.id_range(low, high)
        states = {state.id: state for state in collection.texts.scan_states(in_range)}
        contents = chosen.contents(collection, low, high)
        if chosen.is_all:
            pending.outdated += outdated(contents, states.values())
        ids = [id_ for id_ in contents if _is_pending(id_, contents, states, reader, options)]
        tally.unchanged += len(contents) - len(ids)
        if not options.again:
            read = (states[id_] for id_ in contents.keys() - set(ids))
            tally.other_reader += sum(state.reader != reader for state in read)
        are_most = chosen.is_all and 2 * len(ids) > len(contents)
        _add(pending, collection, ids, in_range if are_most else "", probe, options, tally)
    return pending


def _is_pending(
    id_: str,
    contents: Mapping[str, str],
    states: Mapping[str, TextState],
    reader: str,
    options: ReadOptions,
) -> bool:
    state = states.get(id_)
    if state is None or state.content_hash != contents[id_]:
        return True
    return options.again and state.reader != reader


def _add(
    pending: Pending,
    collection: Collection,
    ids: list[str],
    condition: str,
    probe: TextnessProbe | None,
    options: ReadOptions,
    tally: ReadTally,
) -> None:
    """Add ids that are not skipped; if a condition is given, they are most that match it."""
    if not ids:
        return
    scores = np.zeros(len(ids), dtype=np.float32)
    if probe is not None:
        found = dict(_score(collection, ids, condition, probe))
        ids = [id_ for id_ in ids if id_ in found]  # the others were deleted meanwhile
        scores = np.array([found[id_] for id_ in ids], dtype=np.float32)
        enough = scores >= options.min_textness
        tally.skipped += int((~enough).sum())
        ids = [id_ for id_, is_enough in zip(ids, enough, strict=True) if is_enough]
        scores = scores[enough]
    pending.ids.append(np.array(ids, dtype="S32"))
    pending.textness.append(scores)


def _score(
    collection: Collection, ids: list[str], condition: str, probe: TextnessProbe
) -> Iterator[tuple[str, float]]:
    """Yield the textness of images by their ids; others that match the condition may be there."""
    by_ids = (filters.id_in(batch) for batch in batches(ids, KEYS))
    for part in [condition] if condition else by_ids:
        for page in batches(collection.scan_values(["id", EMBEDDING], part), KEYS):
            vectors = np.array([vector for _, vector in page], dtype=np.float32)
            yield from zip((id_ for id_, _ in page), map(float, probe.score(vectors)), strict=True)
