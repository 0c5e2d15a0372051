"""Requests and responses of search as they travel, for validation and for OpenAPI."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clipsearch.web.path_text import PathText

MAX_LIMIT = 500
MAX_OFFSET = 16_383

_IMAGE_ID, QUERY_IMAGE_ID = "^[0-9a-f]{6,32}$", "^q_[0-9A-Za-z_-]{8,64}$"
_SECONDS = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$"

PATTERN_MEANINGS = {
    _IMAGE_ID: "the id of an image, or at least 6 characters of it",
    "^[0-9a-f]{32}$": "the id of an image, 32 characters of 0-9 and a-f",
    QUERY_IMAGE_ID: "the id of a query image, as the upload of the image returns it",
    "^j_[0-9a-f]{16}$": "the id of an ingest job",
    _SECONDS: "a time such as 2020-12-01T12:00:00",
}
"""What a text is that has the pattern of a field, for messages."""

ImageId: TypeAlias = Annotated[str, Field(pattern=_IMAGE_ID)]
"""An image's id, or the first six or more characters of it."""

QueryImageId: TypeAlias = Annotated[str, Field(pattern=QUERY_IMAGE_ID)]
"""The id of an uploaded query image."""

CameraTime: TypeAlias = Annotated[str, Field(pattern=_SECONDS, examples=["2020-12-01T12:00:00"])]
"""A time of a camera's clock, which has no zone."""

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=2_000)]
Size: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class Model(BaseModel):
    """A request without unknown fields, whose values have the types of JSON: 0 is not false."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TermBody(Model):
    """One part of a query: exactly one of text, image and id."""

    text: Text | None = None
    image: QueryImageId | None = None
    id: ImageId | None = None
    weight: Finite = 1.0

    @model_validator(mode="after")
    def _has_one_content(self) -> "TermBody":
        if sum(value is not None for value in (self.text, self.image, self.id)) != 1:
            raise ValueError("a term has exactly one of text, image and id")
        return self


class FiltersBody(Model):
    """Which images to search; all conditions must hold. See `clipsearch.Filters`.

    A path that is not UTF-8 has `\\udcXX` for such a byte, as in responses, or is a `file://` URI.
    """

    under: PathText | None = None
    glob: PathText | None = None
    taken_from: Annotated[str, Field(max_length=40)] | None = None
    taken_before: Annotated[str, Field(max_length=40)] | None = None
    formats: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=20)] = []
    tags: Annotated[list[Text], Field(max_length=50)] = []
    min_width: Size | None = None
    min_height: Size | None = None
    min_bytes: Size | None = None
    max_bytes: Size | None = None
    near: Annotated[list[Finite], Field(min_length=3, max_length=3)] | None = None
    camera: Text | None = None


class SearchOptions(Model):
    """What `POST` and `GET` have in common.

    `says` are words, or phrases in quotes, that the images must show.
    """

    says: Annotated[str, Field(max_length=1_000)] | None = None
    textness: Finite | Literal["off"] | None = None
    max_textness: Share | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    min_z: Finite | None = None
    min_p: Share | None = None
    min_score: Finite | None = None
    exclude_images: bool = False
    order: Literal["relevance", "date"] = "relevance"
    group_duplicates: bool = False


class SearchBody(SearchOptions):
    """A search; without terms, all images that pass the filters, the newest first."""

    terms: Annotated[list[TermBody], Field(max_length=32)] = []
    filters: FiltersBody = Field(default_factory=FiltersBody)


class SearchParameters(SearchOptions):
    """A search as the parameters of a URL; empty ones count as left out.

    `q` has the syntax of the command line: `bird on a wire`, `house + garden - people`, `2:dog`.
    An image is `id:…` or, uploaded, `image:q_…`.
    """

    model_config = ConfigDict(strict=False)

    q: Annotated[str, Field(max_length=8_000)] = ""
    under: PathText | None = None
    glob: PathText | None = None
    taken_from: Annotated[str, Field(max_length=40)] | None = None
    taken_before: Annotated[str, Field(max_length=40)] | None = None
    format: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=20)] = []
    tag: Annotated[list[Text], Field(max_length=50)] = []
    min_width: Size | None = None
    min_height: Size | None = None
    min_bytes: Size | None = None
    max_bytes: Size | None = None
    near: Annotated[str, Field(max_length=100)] | None = None
    camera: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Drop what a form sends for fields that were left empty."""
        if not isinstance(values, dict):
            return values
        kept = {
            name: [item for item in value if item != ""] if isinstance(value, list) else value
            for name, value in values.items()
        }
        return {name: value for name, value in kept.items() if value not in ("", [])}


class ImageResult(BaseModel):
    """A stored image: the fields of `clipsearch.ImageRecord`; `missing` if the file is gone."""

    id: str
    path: str
    width: int
    height: int
    taken_at: CameraTime | None
    taken_from: str
    format: str
    size: int
    mtime_ns: int
    content_hash: str
    tags: list[str]
    camera: str
    latitude: float | None
    longitude: float | None
    metadata: dict[str, str | int | float | bool]
    missing: bool


class SaysResult(BaseModel):
    """A line of text in an image that shows words of `says`: see `clipsearch.SaysMatch`.

    `box` are the corners x1, y1, … x4, y4 as fractions of the width and the height.
    """

    text: str
    box: Annotated[list[float], Field(min_length=8, max_length=8)]
    match: Literal["word", "prefix", "infix", "split", "similar"]


class SaidResult(BaseModel):
    """A text of the query that so many images show, word for word: `says` finds them."""

    words: str
    images: int


class HitResult(ImageResult):
    """An image that was found. `score` is null without terms, with `says` alone the quality of the
    match; `z` and `textness` are null if not measured.

    `says` are the lines with the words of the request's `says`.
    `p` is the estimated probability that the image is relevant, for texts of a calibrated model.

    `duplicates` are the ids of images on this page that look the same and are left out for it.
    """

    score: float | None
    z: float | None
    p: float | None
    textness: float | None
    duplicates: list[str] = []
    says: list[SaysResult] = []


class Cut(BaseModel):
    """Where `min_p`, `min_z` and `min_score` end the hits.

    `by` names the value that the hits have: `min_z` applies to hits without p alone if `min_p` is
    given, too. `passed` is the number of hits that pass, or null if more pages follow;
    `more_below` says whether other images lie below.
    """

    by: Literal["p", "z"] | None = None
    passed: int | None
    more_below: bool


class SearchResult(BaseModel):
    """The hits, the link of the next page, and what the user should know about the query.

    `warnings` say what the model ignores of the texts; `reasons` why there are no hits. `said` are
    texts of the query that images show.
    """

    hits: list[HitResult]
    next: str | None
    model: str
    took_ms: float
    cut: Cut
    warnings: list[str]
    reasons: list[str]
    said: list[SaidResult] = []


class ProblemBody(BaseModel):
    """An error, as RFC 9457 defines it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] = []
