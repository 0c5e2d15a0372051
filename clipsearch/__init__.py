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
    from clipsearch.classify import Classified, Probe
    from clipsearch.classify.predictions import Classification, Prediction
    from clipsearch.classify.tags import TagReport
    from clipsearch.classify.zero_shot import classify
    from clipsearch.distill import Distilled
    from clipsearch.distill.distillation import distill
    from clipsearch.errors import ClipsearchError
    from clipsearch.evaluation.results import Evaluation
    from clipsearch.explain import Explanation
    from clipsearch.explain.explanation import explain
    from clipsearch.files.walk import Selection
    from clipsearch.index import Index
    from clipsearch.query import Filters, Query, StoredImage, Term
    from clipsearch.render.hits import Hits
    from clipsearch.textness import Textness, TextnessProbe
    from clipsearch.types import Hit, ImageRecord
    from ingest.pipeline import Options
    from ingest.report import Report

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
    "ImageRecord",
    "Index",
    "Options",
    "Prediction",
    "Probe",
    "Query",
    "Report",
    "Selection",
    "StoredImage",
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
    "Classification": "clipsearch.classify.predictions",
    "Classified": "clipsearch.classify.zero_shot",
    "ClipsearchError": "clipsearch.errors",
    "Distilled": "clipsearch.distill",
    "Evaluation": "clipsearch.evaluation",
    "Explanation": "clipsearch.explain",
    "Filters": "clipsearch.query",
    "Hit": "clipsearch.types",
    "Hits": "clipsearch.render.hits",
    "Index": "clipsearch.index",
    "StoredImage": "clipsearch.query",
    "Options": "ingest.pipeline",
    "ImageRecord": "clipsearch.types",
    "Prediction": "clipsearch.classify.predictions",
    "Probe": "clipsearch.classify",
    "Query": "clipsearch.query",
    "Report": "ingest.report",
    "Selection": "clipsearch.files.walk",
    "TagReport": "clipsearch.classify.tags",
    "Term": "clipsearch.query",
    "Textness": "clipsearch.textness",
    "TextnessProbe": "clipsearch.textness",
    "classify": "clipsearch.classify.zero_shot",
    "distill": "clipsearch.distill",
    "explain": "clipsearch.explain",
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
