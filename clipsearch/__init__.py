"""Search image collections by text, by image, or by both.

    from clipsearch import Index

    with Index.open("images.db") as index:
        index.ingest("~/Pictures")
        for hit in index.search("bird on a wire", limit=5):
            print(hit.score, hit.path)

`Index` is the entry point. The other names are what its methods take and return, and the functions
that work on image files without an index:

    Index                       a collection of images in a store, and the model that embeds them
    Client                      the same searches by a `clipsearch serve`, over HTTP
    Query, Term, StoredImage    a query, its weighted terms, and a stored image as a term
    Filters, Near               conditions on the images that a query may return, and a place
    Hit, Hits, ImageRecord      a search result, a list of them, and the metadata of a stored image
    DuplicateGroup              images that are identical or nearly so
    FileSource, FileSelection   the image files in some paths, and which of a folder are taken
    IngestOptions, IngestReport the options and the outcome of an ingestion
    ReadOptions, ReadReport     the options and the outcome of `Index.read_text`
    ImageText, SaysMatch        the lines of text that were read in an image, and one with words
    Failure                     a file that could not be used, and the reason
    classify_images             assign labels to image files; returns a ClassifyReport
    ClassifyReport, Classification, Prediction
                                the result, one image of it, and one label with its probability
    LinearProbe                 a classifier trained on the embeddings of example images
    TagReport                   the labels that `Index.tag` wrote
    Textness, TextnessProbe     how much text an image shows, and the classifier that measures it
    Encoder, ModelIdentity, CenterCrop
                                the interface for models of your own, and its values
    Runtime                     device, library and precision of a model
    explain_match               explain the score of an image for a text; returns an Explanation
    distill_model               train a small model from a large one; returns a DistillReport
    Evaluation                  the result of one evaluation of `clipsearch.evaluation`
    ClipsearchError             the base of every error that the library raises; see `errors`
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipsearch.classify import ClassifyReport, LinearProbe
    from clipsearch.classify.predictions import Classification, Prediction
    from clipsearch.classify.tags import TagReport
    from clipsearch.classify.zero_shot import classify_images
    from clipsearch.client import Client
    from clipsearch.distill import DistillReport
    from clipsearch.distill.pipeline import distill_model
    from clipsearch.errors import ClipsearchError
    from clipsearch.evaluation.results import Evaluation
    from clipsearch.explain import Explanation
    from clipsearch.explain.explanation import explain_match
    from clipsearch.files.discover import FileSource
    from clipsearch.files.walk import FileSelection
    from clipsearch.index import Index
    from clipsearch.models.base import Encoder, ModelIdentity
    from clipsearch.models.crop import CenterCrop
    from clipsearch.models.runtime import Runtime
    from clipsearch.ocr.image_text import ImageText
    from clipsearch.query import Filters, Near, Query, StoredImage, Term
    from clipsearch.query.near_duplicates import DuplicateGroup
    from clipsearch.records import Hit, ImageRecord, SaysMatch
    from clipsearch.render.notebook import Hits
    from clipsearch.textness import Textness, TextnessProbe
    from clipsearch.types import Failure
    from ingest.ocr.options import ReadOptions
    from ingest.ocr.report import ReadReport
    from ingest.options import IngestOptions
    from ingest.report import IngestReport

__all__ = [
    "CenterCrop",
    "Classification",
    "ClassifyReport",
    "Client",
    "ClipsearchError",
    "DistillReport",
    "DuplicateGroup",
    "Encoder",
    "Evaluation",
    "Explanation",
    "Failure",
    "FileSelection",
    "FileSource",
    "Filters",
    "Hit",
    "Hits",
    "ImageRecord",
    "ImageText",
    "Index",
    "IngestOptions",
    "IngestReport",
    "LinearProbe",
    "ModelIdentity",
    "Near",
    "Prediction",
    "Query",
    "ReadOptions",
    "ReadReport",
    "Runtime",
    "SaysMatch",
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

# A name's module is imported on first use, so that `import clipsearch` takes milliseconds.
_MODULES = {
    "CenterCrop": "clipsearch.models.crop",
    "Classification": "clipsearch.classify.predictions",
    "ClassifyReport": "clipsearch.classify",
    "Client": "clipsearch.client",
    "ClipsearchError": "clipsearch.errors",
    "DistillReport": "clipsearch.distill",
    "DuplicateGroup": "clipsearch.query.near_duplicates",
    "Encoder": "clipsearch.models.base",
    "Evaluation": "clipsearch.evaluation.results",
    "Explanation": "clipsearch.explain",
    "Failure": "clipsearch.types",
    "FileSelection": "clipsearch.files.walk",
    "FileSource": "clipsearch.files.discover",
    "Filters": "clipsearch.query",
    "Hit": "clipsearch.records",
    "Hits": "clipsearch.render.notebook",
    "ImageRecord": "clipsearch.records",
    "ImageText": "clipsearch.ocr.image_text",
    "Index": "clipsearch.index",
    "IngestOptions": "ingest.options",
    "IngestReport": "ingest.report",
    "LinearProbe": "clipsearch.classify",
    "ModelIdentity": "clipsearch.models.base",
    "Near": "clipsearch.query",
    "Prediction": "clipsearch.classify.predictions",
    "Query": "clipsearch.query",
    "ReadOptions": "ingest.ocr.options",
    "ReadReport": "ingest.ocr.report",
    "Runtime": "clipsearch.models.runtime",
    "SaysMatch": "clipsearch.records",
    "StoredImage": "clipsearch.query",
    "TagReport": "clipsearch.classify.tags",
    "Term": "clipsearch.query",
    "Textness": "clipsearch.textness",
    "TextnessProbe": "clipsearch.textness",
    "classify_images": "clipsearch.classify.zero_shot",
    "distill_model": "clipsearch.distill.pipeline",
    "explain_match": "clipsearch.explain.explanation",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # slow to import

        return version("clipsearch")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
