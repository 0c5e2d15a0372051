"""What the API says about a collection, for OpenAPI."""

from pydantic import BaseModel

from clipsearch.web.schemas import CameraTime, ImageResult


class ModelResult(BaseModel):
    """The model that made the embeddings of a collection; `dim` is their length."""

    name: str
    dim: int
    weights: str
    precision: str


class RootResult(BaseModel):
    """A folder that was ingested; `missing` if it is not there now, as on a disk that is off."""

    path: str
    missing: bool


class Status(BaseModel):
    """What is served. `model` and `created_at` are null until images are ingested.

    `images` is a lower bound while a Milvus server loads the collection. `disk_bytes` is null for
    a Milvus server. `writable`: whether `POST /v1/ingest` is allowed; `job` is the id of the ingest
    job that runs.
    """

    version: str
    store: str
    collection: str
    images: int
    model: ModelResult | None
    created_at: str | None
    roots: list[RootResult]
    failures: int
    disk_bytes: int | None
    writable: bool
    job: str | None


class FailureResult(BaseModel):
    """A file that could not be ingested, and why."""

    path: str
    reason: str


class Failures(BaseModel):
    """A page of the failures by path, how many there are, and the link of the next page."""

    failures: list[FailureResult]
    total: int
    next: str | None


class Value(BaseModel):
    """A value and the number of images that have it."""

    value: str
    images: int


class Year(BaseModel):
    """A year and the number of images taken in it."""

    year: int
    images: int


class Folder(BaseModel):
    """A folder and the number of images in it and in the folders below; `root` if ingested."""

    path: str
    images: int
    root: bool


class Facets(BaseModel):
    """The values that images of the collection have, the most frequent first.

    `located` is the number of images with a place. `taken_first` and `taken_last` are null if no
    image has a date. At most 1,000 values of each kind and 5,000 folders.
    """

    images: int
    located: int
    tags: list[Value]
    cameras: list[Value]
    formats: list[Value]
    years: list[Year]
    taken_first: CameraTime | None
    taken_last: CameraTime | None
    folders: list[Folder]


class DuplicateGroupResult(BaseModel):
    """Images that look the same, the best first.

    `similarity` is the smallest cosine to the first one; `identical` if all files are equal.
    """

    images: list[ImageResult]
    similarity: float
    identical: bool


class Duplicates(BaseModel):
    """A page of the groups, largest first, how many there are, and the link of the next page."""

    groups: list[DuplicateGroupResult]
    total: int
    next: str | None


class Computing(BaseModel):
    """The result is being computed: ask again after the seconds in `Retry-After`."""

    state: str = "computing"
