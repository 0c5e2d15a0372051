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
    from clipsearch.classify import ClassifyReport, Probe
    from clipsearch.classify.predictions import Classification, Prediction
    from clipsearch.classify.tags import TagReport
    from clipsearch.classify.zero_shot import classify_images
    from clipsearch.distill import DistillReport
    from clipsearch.distill.distillation import distill_model
    from clipsearch.errors import ClipsearchError
    from clipsearch.evaluation.results import Evaluation
    from clipsearch.explain import Explanation
    from clipsearch.explain.explanation import explain_match
    from clipsearch.files.walk import FileSelection
    from clipsearch.index import Index
    from clipsearch.query import Filters, Query, StoredImage, Term
    from clipsearch.render.hits import Hits
    from clipsearch.textness import Textness, TextnessProbe
    from clipsearch.types import Hit, ImageRecord
    from ingest.pipeline import IngestOptions
    from ingest.report import IngestReport

__all__ = [
    "Classification",
    "ClassifyReport",
    "ClipsearchError",
    "DistillReport",
    "Evaluation",
    "Explanation",
    "FileSelection",
    "Filters",
    "Hit",
    "Hits",
    "ImageRecord",
    "Index",
    "IngestOptions",
    "IngestReport",
    "Prediction",
    "Probe",
    "Query",
    "StoredImage",
    "TagReport",
    "Term",
    "Textness",
    "TextnessProbe",
    "classify_images",
    "distill_model",
    "explain_match",
]

__version__: str

# Names load their module when first used, so that `import clipsearch` costs next to nothing.
_HOMES = {
    "Classification": "clipsearch.classify.predictions",
    "ClassifyReport": "clipsearch.classify.zero_shot",
    "ClipsearchError": "clipsearch.errors",
    "DistillReport": "clipsearch.distill",
    "Evaluation": "clipsearch.evaluation",
    "Explanation": "clipsearch.explain",
    "Filters": "clipsearch.query",
    "Hit": "clipsearch.types",
    "Hits": "clipsearch.render.hits",
    "Index": "clipsearch.index",
    "StoredImage": "clipsearch.query",
    "IngestOptions": "ingest.pipeline",
    "ImageRecord": "clipsearch.types",
    "Prediction": "clipsearch.classify.predictions",
    "Probe": "clipsearch.classify",
    "Query": "clipsearch.query",
    "IngestReport": "ingest.report",
    "FileSelection": "clipsearch.files.walk",
    "TagReport": "clipsearch.classify.tags",
    "Term": "clipsearch.query",
    "Textness": "clipsearch.textness",
    "TextnessProbe": "clipsearch.textness",
    "classify_images": "clipsearch.classify.zero_shot",
    "distill_model": "clipsearch.distill",
    "explain_match": "clipsearch.explain",
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
