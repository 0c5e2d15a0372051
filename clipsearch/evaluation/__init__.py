"""How good a model is, on the user's own data: each function is a command of `clipsearch eval`."""

from clipsearch.evaluation.agreement import agreement
from clipsearch.evaluation.ann_recall import exactness
from clipsearch.evaluation.captions import Captioned, read_captions
from clipsearch.evaluation.compare import compare
from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.evaluation.retrieval import retrieval
from clipsearch.evaluation.text_lists import read_names, read_queries
from clipsearch.evaluation.textness import textness
from clipsearch.evaluation.zero_shot import ENSEMBLE, zeroshot

__all__ = [
    "ENSEMBLE",
    "Captioned",
    "Estimate",
    "Evaluation",
    "Measure",
    "Skipped",
    "agreement",
    "compare",
    "exactness",
    "read_captions",
    "read_names",
    "read_queries",
    "retrieval",
    "textness",
    "zeroshot",
]
