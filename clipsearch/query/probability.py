"""The `p` of hits: the estimated probability that they are relevant to a query of texts."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from clipsearch.calibration import find_calibration, hit_probabilities
from clipsearch.query.option_names import with_field_names
from clipsearch.query.query import Query
from clipsearch.query.zscore import Background
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

Input: TypeAlias = tuple[Query, Vectors, Background | None]
"""A query, its vector (d,), and its scores for a sample of the collection."""


def has_probability(query: Query) -> bool:
    """Whether a query is of the kind that calibrations are fitted to: texts, all added.

    What is relevant to an image is not defined; and a subtracted text or a shift by textness makes
    a vector unlike that of any text.
    """
    counted = [term for term in query.terms if term.weight]
    return (
        not query.textness
        and query.says is None
        and all(isinstance(term.content, str) and term.weight > 0 for term in counted)
    )


def is_cut_by_p(query: Query) -> bool:
    """Whether a smallest p leaves out hits of a query, if its model is calibrated."""
    return bool(query.min_p) and has_probability(query)


def needs_embeddings(inputs: Sequence[Input], collection: Collection) -> bool:
    """Whether `add_probabilities` needs the embeddings of hits of some of the queries."""
    return bool(_with_background(inputs)) and find_calibration(collection) is not None


def add_probabilities(
    results: Sequence[Sequence[Hit]],
    inputs: Sequence[Input],
    collection: Collection,
    embeddings: Mapping[str, Vectors] = MappingProxyType({}),
) -> list[list[Hit]]:
    """The hits of each query with their p, where it can be estimated.

    `embeddings` (d,) of hits, by their ids, need not be read again. Collections that are too small
    for z have no p.
    """
    found = [list(hits) for hits in results]
    chosen = {at: each for at, each in _with_background(inputs).items() if found[at]}
    calibration = find_calibration(collection) if chosen else None
    if calibration is None:
        return found
    probabilities = hit_probabilities(
        calibration,
        collection,
        np.stack([vector for vector, _ in chosen.values()]),
        [found[at] for at in chosen],
        [scores for _, scores in chosen.values()],
        embeddings,
    )
    for at, values in zip(chosen, probabilities, strict=True):
        found[at] = [replace(hit, p=p) for hit, p in zip(found[at], values, strict=True)]
    return found


def _with_background(inputs: Sequence[Input]) -> dict[int, tuple[Vectors, Vectors]]:
    """Vector (d,) and sampled scores of the queries of texts, by their place."""
    return {
        at: (vector, background.scores)
        for at, (query, vector, background) in enumerate(inputs)
        if background is not None and has_probability(query)
    }


def probability_warnings(query: Query, hits: Sequence[Hit], model: str) -> list[str]:
    """Say why `min_p` or `min_z` does not cut the hits of a query; nothing if one of them does."""
    cuts = {"--min-p": query.min_p, "--min-z": query.min_z}
    given = [option for option, value in cuts.items() if value is not None]
    if len(given) != 1 or not hits:  # the page gives both
        return []
    if hits[0].z is None:
        return [f"{given[0]} does not apply: the collection is too small"]
    if query.min_z is not None or any(hit.p is not None for hit in hits):
        return []
    if has_probability(query):
        reason = f"{model} is not calibrated; `clipsearch calibrate` does that"
        return [f"--min-p does not apply: {reason}, and --min-z cuts until then"]
    reason = "p is estimated for texts that are added, without textness or words to read"
    return [f"--min-p does not apply: {reason}; --min-z cuts these queries"]


def log_ignored_cuts(queries: Sequence[Query], results: Sequence[list[Hit]], model: str) -> None:
    """Log the `probability_warnings` of some queries, each once, with the names of arguments."""
    pairs = zip(queries, results, strict=True)
    warnings = [text for query, hits in pairs for text in probability_warnings(query, hits, model)]
    for warning in dict.fromkeys(warnings):
        log.warning("%s", with_field_names(warning))
