"""How good a model is, on the user's own data: each function is a command of `clipsearch eval`."""

from clipsearch.evaluate.agreement import agreement
from clipsearch.evaluate.captions import Captioned, read_captions
from clipsearch.evaluate.compare import compare
from clipsearch.evaluate.exact import exactness
from clipsearch.evaluate.lists import read_names, read_queries
from clipsearch.evaluate.retrieval import retrieval
from clipsearch.evaluate.textness import textness
from clipsearch.evaluate.zeroshot import ENSEMBLE, zeroshot
from clipsearch.evaluation import Estimate, Evaluation, Measure, Skipped

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
