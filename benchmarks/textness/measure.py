"""What textness does to queries for things whose names are written on other pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.textness.drawn_words import Pen, pick
from benchmarks.textness.typographic import Typographic, square
from clipsearch import Filters, Hit, Hits, Index, Query, Term
from clipsearch.errors import UsageError
from clipsearch.textness import TextnessProbe, TextRenderer
from clipsearch.textness.self_supervised import fit_collection
from clipsearch.textness.steering import TextnessScale

SCALES: tuple[TextnessScale, ...] = (-6, -5, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, "off")
TOP = 10
FIRST_LOOK = 100  # hits; each further look is for FURTHER times as many
FURTHER = 4
OF_EACH = 1000  # pictures with text, and without, of the probe's fit
LOSS = 0.03  # of clean precision, that `strongest` may cost
STEP = 0.1  # between the scales that it tries


@dataclass(frozen=True, slots=True)
class Row:
    """Averages over the names, at one scale.

    `words`: share of the top 10 that are pictures with any word drawn on them, `right_word` with
    this one; `first`: rank of the first real thing; `precision` and `recall`: of real things at 10;
    the `clean` ones where no words are drawn on any picture.
    """

    scale: TextnessScale
    words: float
    right_word: float
    first: float
    precision: float
    recall: float
    clean_precision: float
    clean_recall: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How well a probe tells drawn words on photographs, words and fonts that its fit has not seen.

    Accuracy and AUC are of the same photographs with a word on each and without; `twins`: how often
    a photograph scores higher with its word.
    """

    accuracy: float
    auc: float
    twins: float


def fit_probe(index: Index, photos: Sequence[Path], writer: TextRenderer) -> TextnessProbe:
    """What `textness fit --of-each` finds on a collection of these photographs alone."""
    index.ingest(*photos)
    return fit_collection(index.encoder, index.collection, per_class=OF_EACH, renderer=writer)


def held_out(
    index: Index, probe: TextnessProbe, photos: Sequence[Path], words: Sequence[str], pen: Pen
) -> HeldOut:
    """How well a probe tells photographs without text from the same ones with a word on each."""
    rng = np.random.default_rng(4)
    plain = [square(file) for file in photos]
    lettered = [pen.write(picture, pick(words, rng), rng)[0] for picture in plain]
    with_text, without = (
        probe.score(index.embed_images(pictures)) for pictures in (lettered, plain)
    )
    accuracy = ((with_text > 0.5).mean() + (without <= 0.5).mean()) / 2
    above = (with_text[:, None] > without).mean() + (with_text[:, None] == without).mean() / 2
    return HeldOut(float(accuracy), float(above), float((with_text > without).mean()))


def rows(index: Index, test: Typographic, prompt: str, advance: Callable[[], object]) -> list[Row]:
    """One row a scale; `prompt` has a {} for the name."""
    found = []
    for scale in SCALES:
        found.append(_row(index, test, prompt, scale))
        advance()
    return found


def strongest(index: Index, test: Typographic, prompt: str) -> Row:
    """The row of the strongest negative scale among SCALES' that costs at most LOSS of clean precision.

    Found by halving: the stronger the scale the more it costs, but for single pictures.
    """
    best = _row(index, test, prompt, 0)
    least = best.clean_precision - LOSS
    cheap, dear = 0, 1 + round(-min(s for s in SCALES if not isinstance(s, str)) / STEP)
    while dear - cheap > 1:
        middle = (cheap + dear) // 2
        row = _row(index, test, prompt, -round(middle * STEP, 3))
        if row.clean_precision >= least - 1e-9:
            best, cheap = row, middle
        else:
            dear = middle
    return best


def until_found(
    index: Index, queries: Sequence[Query], right: Sequence[Callable[[Hit], bool]]
) -> tuple[list[Hits], list[list[int]]]:
    """Look far enough that every query finds a right hit: the hits, and the ranks of right ones.

    As few hits as will do: Milvus Lite takes long for many. Raises UsageError where nothing is
    right in the whole collection.
    """
    found: dict[int, Hits] = {}
    limit = FIRST_LOOK
    while missing := [number for number in range(len(queries)) if number not in found]:
        wider = [replace(queries[number], limit=limit) for number in missing]
        for number, hits in zip(missing, index.search_many(wider), strict=True):
            if any(map(right[number], hits)):
                found[number] = hits
            elif limit >= len(index):
                raise UsageError(
                    f"the test has no picture that is right for {queries[number].terms}"
                )
        limit *= FURTHER
    ranks = [
        [rank for rank, hit in enumerate(found[number], 1) if is_right(hit)]
        for number, is_right in enumerate(right)
    ]
    return [found[number] for number in range(len(queries))], ranks


def _row(index: Index, test: Typographic, prompt: str, scale: TextnessScale) -> Row:
    def shows(name: str) -> Callable[[Hit], bool]:
        return lambda hit: test.thing(hit.record) == name

    asked = [Query((Term(prompt.format(name)),), limit=TOP, textness=scale) for name in test.names]
    whole, real = until_found(index, asked, [shows(name) for name in test.names])
    clean = index.search_many(
        [replace(query, filters=Filters(under=test.clean)) for query in asked]
    )
    written = [[test.word(hit.record) for hit in hits[:TOP]] for hits in whole]
    at_top = [sum(place <= TOP for place in ranks) for ranks in real]
    clean_top = [
        sum(test.thing(hit.record) == name for hit in hits)
        for name, hits in zip(test.names, clean, strict=True)
    ]
    counts = [test.real(name) for name in test.names]
    return Row(
        scale=scale,
        words=_mean([sum(word is not None for word in words) / TOP for words in written]),
        right_word=_mean(
            [words.count(name) / TOP for name, words in zip(test.names, written, strict=True)]
        ),
        first=_mean([ranks[0] for ranks in real]),
        precision=_mean([hits / TOP for hits in at_top]),
        recall=_mean([hits / count for hits, count in zip(at_top, counts, strict=True)]),
        clean_precision=_mean([hits / TOP for hits in clean_top]),
        clean_recall=_mean([hits / count for hits, count in zip(clean_top, counts, strict=True)]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
