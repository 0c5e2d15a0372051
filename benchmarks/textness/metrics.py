"""How textness changes queries for objects whose names are written on other images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.textness.synthetic_words import WordRenderer, choose
from benchmarks.textness.typographic_dataset import TypographicDataset, center_square
from clipsearch import Filters, Hit, Hits, Index, Query, Term
from clipsearch.errors import UsageError
from clipsearch.query.query import TextnessScale
from clipsearch.textness import TextnessProbe, TextRenderer
from clipsearch.textness.self_supervised import fit_collection

SCALES: tuple[TextnessScale, ...] = (-6, -5, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, "off")
TOP = 10
FIRST_LIMIT = 100  # hits; each further search has LIMIT_FACTOR times as many
LIMIT_FACTOR = 4
IMAGES_PER_CLASS = 1000  # with text and without, in the probe's fit
MAX_LOSS = 0.03  # of clean precision, for `strongest_scale`
SCALE_STEP = 0.1  # between the scales that `strongest_scale` tries


@dataclass(frozen=True, slots=True)
class ScaleMetrics:
    """Averages over the object names at one textness scale.

    `words` is the share of the top 10 with any drawn word, `right_word` with the query's word.
    `first` is the rank of the first image of the object. `precision` and `recall` at 10 count
    images of the object; the `clean` ones are of searches without images with drawn words.
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
class ProbeMetrics:
    """How well a probe detects drawn words, with images, words and fonts that its fit had not.

    Accuracy and AUC are of the same images with a word on each and without; `pairs` is the share of
    images that score higher with their word than without.
    """

    accuracy: float
    auc: float
    pairs: float


def fit_probe(index: Index, images: Sequence[Path], renderer: TextRenderer) -> TextnessProbe:
    """The probe that `textness fit --per-class` fits on a collection of these images."""
    index.ingest(*images)
    return fit_collection(
        index.encoder, index.collection, per_class=IMAGES_PER_CLASS, renderer=renderer
    ).probe


def evaluate_probe(
    index: Index,
    probe: TextnessProbe,
    images: Sequence[Path],
    words: Sequence[str],
    renderer: WordRenderer,
) -> ProbeMetrics:
    """Score images without text, and the same images with a word on each."""
    rng = np.random.default_rng(4)
    plain = [center_square(file) for file in images]
    written = [renderer.draw(image, choose(words, rng), rng)[0] for image in plain]
    with_text, without = (probe.score(index.embed_images(group)) for group in (written, plain))
    accuracy = ((with_text > 0.5).mean() + (without <= 0.5).mean()) / 2
    auc = (with_text[:, None] > without).mean() + (with_text[:, None] == without).mean() / 2
    return ProbeMetrics(float(accuracy), float(auc), float((with_text > without).mean()))


def measure_scales(
    index: Index, dataset: TypographicDataset, prompt: str, advance: Callable[[], object]
) -> list[ScaleMetrics]:
    """The metrics at each of `SCALES`; `prompt` has a {} for the name."""
    metrics = []
    for scale in SCALES:
        metrics.append(_measure(index, dataset, prompt, scale))
        advance()
    return metrics


def strongest_scale(index: Index, dataset: TypographicDataset, prompt: str) -> ScaleMetrics:
    """The metrics at the strongest negative scale that costs at most `MAX_LOSS` clean precision.

    Found by bisection: precision falls with the strength of the scale, except for a few images.
    """
    best = _measure(index, dataset, prompt, 0)
    least = best.clean_precision - MAX_LOSS
    strongest = -min(scale for scale in SCALES if not isinstance(scale, str))
    low, high = 0, 1 + round(strongest / SCALE_STEP)
    while high - low > 1:
        middle = (low + high) // 2
        metrics = _measure(index, dataset, prompt, -round(middle * SCALE_STEP, 3))
        if metrics.clean_precision >= least - 1e-9:
            best, low = metrics, middle
        else:
            high = middle
    return best


def search_until_relevant(
    index: Index, queries: Sequence[Query], is_relevant: Sequence[Callable[[Hit], bool]]
) -> tuple[list[Hits], list[list[int]]]:
    """Search with growing limits until each query has a relevant hit.

    Returns the hits and the ranks of the relevant ones. The limits grow because Milvus Lite is slow
    with large ones. Raises UsageError if the collection has no relevant image for a query.
    """
    results: dict[int, Hits] = {}
    limit = FIRST_LIMIT
    while missing := [number for number in range(len(queries)) if number not in results]:
        wider = [replace(queries[number], limit=limit) for number in missing]
        for number, hits in zip(missing, index.search_many(wider), strict=True):
            if any(map(is_relevant[number], hits)):
                results[number] = hits
            elif limit >= len(index):
                raise UsageError(f"the test has no relevant image for {queries[number].terms}")
        limit *= LIMIT_FACTOR
    ranks = [
        [rank for rank, hit in enumerate(results[number], 1) if relevant(hit)]
        for number, relevant in enumerate(is_relevant)
    ]
    return [results[number] for number in range(len(queries))], ranks


def _measure(
    index: Index, dataset: TypographicDataset, prompt: str, scale: TextnessScale
) -> ScaleMetrics:
    def shows(name: str) -> Callable[[Hit], bool]:
        return lambda hit: dataset.object_name(hit.record) == name

    names = dataset.names
    queries = [Query((Term(prompt.format(name)),), limit=TOP, textness=scale) for name in names]
    results, ranks = search_until_relevant(index, queries, [shows(name) for name in names])
    clean = index.search_many(
        [replace(query, filters=Filters(under=dataset.clean)) for query in queries]
    )
    drawn = [[dataset.drawn_name(hit.record) for hit in hits[:TOP]] for hits in results]
    in_top = [sum(rank <= TOP for rank in object_ranks) for object_ranks in ranks]
    clean_in_top = [
        sum(dataset.object_name(hit.record) == name for hit in hits)
        for name, hits in zip(names, clean, strict=True)
    ]
    counts = [dataset.object_count(name) for name in names]
    return ScaleMetrics(
        scale=scale,
        words=_mean([sum(word is not None for word in words) / TOP for words in drawn]),
        right_word=_mean(
            [words.count(name) / TOP for name, words in zip(names, drawn, strict=True)]
        ),
        first=_mean([object_ranks[0] for object_ranks in ranks]),
        precision=_mean([hits / TOP for hits in in_top]),
        recall=_mean([hits / count for hits, count in zip(in_top, counts, strict=True)]),
        clean_precision=_mean([hits / TOP for hits in clean_in_top]),
        clean_recall=_mean(
            [hits / count for hits, count in zip(clean_in_top, counts, strict=True)]
        ),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
