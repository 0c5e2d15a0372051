"""What the tools return, as typed data from which the SDK makes JSON schemas.

The results of tools have no slots: the SDK would take their descriptors for default values.
"""

from dataclasses import dataclass, replace

from clipsearch.classify.predictions import Classification
from clipsearch.escape import escape_control
from clipsearch.query.option_names import with_field_names
from clipsearch.query.response import Said, SearchResponse
from clipsearch.records import Hit, ImageRecord


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A hit: `score`, `z`, `p` as in `Hit`, null without a query; `taken_at` has no time zone.

    `says` are the lines of its text with the words to find.
    """

    id: str
    path: str
    score: float | None
    z: float | None
    p: float | None
    textness: float | None
    width: int
    height: int
    format: str
    taken_at: str | None
    camera: str
    latitude: float | None
    longitude: float | None
    tags: list[str]
    says: list[str]


@dataclass(frozen=True)
class SearchResult:
    """The images found, best first; what the model ignored of the texts; why nothing is found."""

    images: list[FoundImage]
    warnings: list[str]
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image that was shown, and the size of the file's image in pixels."""

    id: str
    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FailedImage:
    """An image that cannot be shown."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class ShowResult:
    """The images shown, in the order of their pixels, and those that failed."""

    images: list[ShownImage]
    failed: list[FailedImage]


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """A label and its probability, 0..1, among all labels."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class ClassifiedImage:
    """An image with its most probable labels, best first."""

    id: str
    path: str
    labels: list[LabelProbability]


@dataclass(frozen=True)
class ClassifyResult:
    """How many images have each label as their best, and some of the images.

    `warnings` say what the model ignores of the labels.
    """

    total: int
    counts: dict[str, int]
    images: list[ClassifiedImage]
    warnings: list[str]


@dataclass(frozen=True)
class StatusResult:
    """The collection, the folders that were ingested, and files that cannot be searched."""

    collection: str
    images: int
    model: str
    folders: list[str]
    tags: dict[str, int]
    failed_files: int
    failures: list[str]
    other_collections: list[str]


def search_result(response: SearchResponse) -> SearchResult:
    """Return a response for an assistant, which knows parameters and no options."""
    return SearchResult(
        [found_image(hit) for hit in response.hits],
        [*map(with_field_names, response.warnings), *map(said_note, response.said)],
        list(map(with_field_names, response.reasons)),
    )


def found_image(hit: Hit) -> FoundImage:
    """Return a hit for an assistant, its numbers rounded: every digit is read by a model."""
    return replace(
        listed_image(hit.record),
        score=round(float(hit.score), 4),
        z=None if hit.z is None else round(float(hit.z), 2),
        p=None if hit.p is None else round(float(hit.p), 2),
        textness=None if hit.textness is None else round(float(hit.textness), 2),
        says=[escape_control(line.text) for line in hit.says],
    )


def listed_image(record: ImageRecord) -> FoundImage:
    """Return an image that was found without a query."""
    return FoundImage(
        id=record.id,
        path=shown_path(record),
        score=None,
        z=None,
        p=None,
        textness=None,
        width=record.width,
        height=record.height,
        format=record.format,
        taken_at=None if record.taken_at is None else record.taken_at.isoformat(),
        camera=escape_control(record.camera),
        latitude=record.latitude,
        longitude=record.longitude,
        tags=[escape_control(tag) for tag in record.tags],
        says=[],
    )


def said_note(said: Said) -> str:
    """Return what tells an assistant to search for a text that images show."""
    return f"{said.images:,} images show {said.words!r} in writing: use says to find them"


def classified_image(result: Classification) -> ClassifiedImage:
    """Return a classification for an assistant."""
    labels = [
        LabelProbability(prediction.label, round(prediction.probability, 4))
        for prediction in result.predictions
    ]
    return ClassifiedImage(result.record.id, shown_path(result.record), labels)


def shown_path(record: ImageRecord) -> str:
    """Return a record's path as text that JSON can hold, without invisible characters."""
    return escape_control(str(record.path))
