"""Search image collections by text, by picture, or by both.

from clipsearch import Index

with Index.open("photos.db") as index:
    index.ingest("~/Pictures")
    for hit in index.search("bird on a wire", limit=5):
        print(hit.score, hit.path)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipsearch.classification import Classification, Prediction
    from clipsearch.distillation import Distilled, distill
    from clipsearch.errors import ClipsearchError
    from clipsearch.evaluation import Evaluation
    from clipsearch.explanation import Explanation, explain
    from clipsearch.hits import Hits
    from clipsearch.index import Index
    from clipsearch.probe import Probe
    from clipsearch.query import Filters, Indexed, Query, Term
    from clipsearch.tags import TagReport
    from clipsearch.textness import Textness, TextnessProbe
    from clipsearch.types import Hit, Photo
    from clipsearch.zeroshot import Classified, classify
    from ingest.pipeline import Options
    from ingest.report import Report
    from ingest.walk import Selection

__all__ = [
    "Classification",
    "Classified",
    "ClipsearchError",
    "Distilled",
    "Evaluation",
    "Explanation",
    "Filters",
    "Hit",
    "Hits",
    "Index",
    "Indexed",
    "Options",
    "Photo",
    "Prediction",
    "Probe",
    "Query",
    "Report",
    "Selection",
    "TagReport",
    "Term",
    "Textness",
    "TextnessProbe",
    "classify",
    "distill",
    "explain",
]

__version__: str

# Names load their module when first used, so that `import clipsearch` costs next to nothing.
_HOMES = {
    "Classification": "clipsearch.classification",
    "Classified": "clipsearch.zeroshot",
    "ClipsearchError": "clipsearch.errors",
    "Distilled": "clipsearch.distillation",
    "Evaluation": "clipsearch.evaluation",
    "Explanation": "clipsearch.explanation",
    "Filters": "clipsearch.query",
    "Hit": "clipsearch.types",
    "Hits": "clipsearch.hits",
    "Index": "clipsearch.index",
    "Indexed": "clipsearch.query",
    "Options": "ingest.pipeline",
    "Photo": "clipsearch.types",
    "Prediction": "clipsearch.classification",
    "Probe": "clipsearch.probe",
    "Query": "clipsearch.query",
    "Report": "ingest.report",
    "Selection": "ingest.walk",
    "TagReport": "clipsearch.tags",
    "Term": "clipsearch.query",
    "Textness": "clipsearch.textness",
    "TextnessProbe": "clipsearch.textness",
    "classify": "clipsearch.zeroshot",
    "distill": "clipsearch.distillation",
    "explain": "clipsearch.explanation",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # takes as long as all else that a command imports

        return version("clipsearch")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
