"""Fitting a calibration to captioned images, by simulated collections."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clipsearch.calibration.calibration import Calibration, single_thread
from clipsearch.calibration.caption_queries import CaptionQuery
from clipsearch.calibration.features import ImageTexts, TextBank, describe_images, hit_features
from clipsearch.calibration.moments import Moments
from clipsearch.calibration.network_fit import fit_network
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors

Rows = NDArray[np.intp]

BANK_TEXTS = 1_000
CLOSEST = 0.92  # cosine of two texts of the bank, so that synonyms do not fill it
COLLECTIONS = 4_000  # simulated ones, each with one query
MIN_COLLECTION, MAX_COLLECTION = 50, 20_000  # images
SAMPLE_ROWS, MAX_SCORED = 1_000, 2_000  # as in `clipsearch.query.zscore`
PROMPT = "a photo of a {}"  # around some words, so that p does not depend on how they are phrased
PROMPTS = 0.3  # share of words that are in it
SENTENCES = 0.15  # share of queries that are whole captions
ABSENT = 0.15  # share of queries whose relevant images are left out of the collection
ALL = 0.6  # share of queries whose relevant images are all in it
UNKNOWN = 0.1  # share of queries that are fitted as if the bank did not have their words
SAME = 8  # texts of a bank that may mean the same as a query
BEST, OTHERS = 60, 60  # images of a simulated collection that are fitted to


@dataclass(frozen=True, slots=True)
class CaptionedVectors:
    """Images (n, d), and texts with the rows of the images that they describe.

    `sentences` (s, d) are whole captions of the images `owners` (s,); `words` (w, d) are the texts
    of `queries`, `prompts` (w, d) the same in PROMPT. All have length 1.
    """

    images: Vectors
    sentences: Vectors
    owners: Rows
    words: Vectors
    prompts: Vectors
    queries: Sequence[CaptionQuery]


def fit_calibration(
    model: ModelIdentity,
    data: CaptionedVectors,
    source: str,
    *,
    words: tuple[Sequence[str], Vectors] | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit the calibration of a model to captioned images; see `Calibration` for `source`.

    The bank is chosen from `words` and their vectors (w, d), by default those of the queries.

    Each example is a query, and a collection drawn from the images, with all, some or none of those
    that are relevant: how rare a thing is must not decide on its probability.
    """
    draw = np.random.default_rng(seed)
    names, vectors = words or ([query.text for query in data.queries], data.words)
    chosen = choose_bank(vectors)
    bank = TextBank(tuple(names[at] for at in chosen), vectors[chosen], Moments.of(data.images))
    described = describe_images(data.images, bank)
    meanings = Moments.of(described.meaning)
    with single_thread():
        parts = [_examples(data, described, bank, meanings, draw) for _ in range(COLLECTIONS)]
        features, targets, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
        network = fit_network(features, targets, weights, draw)
    return Calibration(model, source, bank, meanings, network)


def adapt_calibration(
    calibration: Calibration, model: ModelIdentity, texts: Vectors, images: Vectors, source: str
) -> Calibration:
    """The calibration of another model: its words and images, with the network that was fitted.

    `texts` (b, d) are the embeddings of `calibration.bank.words`, `images` (n, d) those of any
    images, all of length 1. The features are in units of what is usual for the model, so that the
    network suits other models, too, though less exactly.
    """
    bank = TextBank(calibration.bank.words, texts, Moments.of(images))
    meanings = Moments.of(describe_images(images, bank).meaning)
    return Calibration(model, source, bank, meanings, calibration.network)


def choose_bank(words: Vectors) -> list[int]:
    """Choose rows of (w, d) texts, the first ones first: BANK_TEXTS that differ from each other."""
    chosen: list[int] = []
    for row, word in enumerate(words):
        if len(chosen) == BANK_TEXTS:
            break
        if not chosen or np.max(words[chosen] @ word) <= CLOSEST:
            chosen.append(row)
    return chosen


def _examples(
    data: CaptionedVectors,
    described: ImageTexts,
    bank: TextBank,
    meanings: Moments,
    draw: Generator,
) -> tuple[Vectors, Vectors, Vectors]:
    """Features, targets and weights of some images of a simulated collection, for one query."""
    query, relevant, completeness = _draw_query(data, draw)
    rows = _draw_collection(len(data.images), relevant, draw)
    scores = (data.images @ query)[rows]
    order = np.argsort(-scores)
    others = draw.permutation(order[BEST:])[:OTHERS]
    chosen = np.concatenate([order[:BEST], others])
    weights = np.ones(len(chosen), np.float32)
    weights[BEST:] = max(len(order) - BEST, 0) / max(len(others), 1)
    sample = scores
    if len(scores) > MAX_SCORED:
        sample = draw.choice(scores, SAMPLE_ROWS, replace=False)
    features = hit_features(
        query,
        scores[chosen],
        described.take(rows[chosen]),
        sample,
        bank,
        meanings,
        hidden=SAME if draw.random() < UNKNOWN else 0,
    )
    # A target above 1 makes up for relevant images that are not labeled: cross-entropy is linear in
    # it (unbiased learning from positive and unlabeled examples, du Plessis et al. 2014).
    targets = np.isin(rows[chosen], relevant) / np.float32(completeness)
    return features, targets.astype(np.float32), weights


def _draw_query(data: CaptionedVectors, draw: Generator) -> tuple[Vectors, Rows, float]:
    """A text (d,), the rows of the images that are relevant to it, and their completeness."""
    if draw.random() < SENTENCES:
        at = draw.integers(len(data.sentences))
        return data.sentences[at], data.owners[[at]], 1.0
    row = int(draw.integers(len(data.queries)))
    query = data.queries[row]
    vectors = data.prompts if draw.random() < PROMPTS else data.words
    return vectors[row], np.array(query.rows), query.completeness


def _draw_collection(count: int, relevant: Rows, draw: Generator) -> Rows:
    """Draw a collection from `count` images, with some share of the relevant ones."""
    low, high = MIN_COLLECTION, max(MIN_COLLECTION, min(count, MAX_COLLECTION))
    size = int(np.exp(draw.uniform(np.log(low), np.log(high))))
    kind = draw.random()
    kept = len(relevant)
    if kind < ABSENT:
        kept = 0
    elif kind > ABSENT + ALL:
        kept = int(len(relevant) * np.exp(draw.uniform(-3, 0)))
    left_out = draw.permutation(relevant)[kept:]
    is_left = np.ones(count, dtype=bool)
    is_left[left_out] = False
    return draw.permutation(np.flatnonzero(is_left))[:size]
