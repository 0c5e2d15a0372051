"""Search image collections by text, by picture, or by both.

from clipsearch import Index

with Index.open("photos.db") as index:
    index.ingest("~/Pictures")
    for hit in index.search("bird on a wire", limit=5):
        print(hit.score, hit.path)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipsearch.errors import ClipsearchError
    from clipsearch.hits import Hits
    from clipsearch.index import Index
    from clipsearch.query import Filters, Indexed, Query, Term
    from clipsearch.types import Hit, Photo
    from ingest.pipeline import Options
    from ingest.report import Report
    from ingest.walk import Selection

__all__ = [
    "ClipsearchError",
    "Filters",
    "Hit",
    "Hits",
    "Index",
    "Indexed",
    "Options",
    "Photo",
    "Query",
    "Report",
    "Selection",
    "Term",
]

__version__ = version("clipsearch")

# Names load their module when first used, so that `import clipsearch` costs next to nothing.
_HOMES = {
    "ClipsearchError": "clipsearch.errors",
    "Filters": "clipsearch.query",
    "Hit": "clipsearch.types",
    "Hits": "clipsearch.hits",
    "Index": "clipsearch.index",
    "Indexed": "clipsearch.query",
    "Options": "ingest.pipeline",
    "Photo": "clipsearch.types",
    "Query": "clipsearch.query",
    "Report": "ingest.report",
    "Selection": "ingest.walk",
    "Term": "clipsearch.query",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
