"""Classification, explanation and embeddings as they travel, for validation and for OpenAPI."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from clipsearch.classify.templates import DEFAULT_TEMPLATES
from clipsearch.web.schemas import FiltersBody, ImageResult, Model, QueryImageId, Share, Text

MAX_LABELS = 1_000
MAX_INPUTS = 2_048

StoredId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class ProbeModel(Model):
    """The model whose embeddings a linear probe was fitted to, as `clipsearch.ModelIdentity`."""

    name: str
    dim: Annotated[int, Field(ge=1, le=65_536)]
    weights: str
    preprocessing: str
    precision: str = "float32"


class ProbeBody(Model):
    """A linear probe; `weights` (labels x dim) and `bias` are base64 of little-endian float32."""

    labels: Annotated[list[Text], Field(min_length=1, max_length=MAX_LABELS)]
    weights: str
    bias: str
    model: ProbeModel
    images: int = 0
    accuracy: float | None = None


class ClassifyBody(Model):
    """Labels, and the images to classify: by id, an uploaded one, or those that pass filters.

    Without any of these, all images. `templates` are sentences such as `a photo of a {}`, or names
    of sets; a linear `probe` replaces labels and templates. An image whose best label is less
    probable than `threshold` gets none. `top` is how many predictions to return for each image.
    """

    labels: Annotated[list[Text], Field(min_length=2, max_length=MAX_LABELS)] | None = None
    probe: ProbeBody | None = None
    templates: Annotated[list[Text], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: list(DEFAULT_TEMPLATES)
    )
    ids: Annotated[list[StoredId], Field(min_length=1, max_length=10_000)] | None = None
    image: QueryImageId | None = None
    filters: FiltersBody | None = None
    top: Annotated[int, Field(ge=1, le=MAX_LABELS)] | None = None
    threshold: Share = 0.0

    @model_validator(mode="after")
    def _is_unambiguous(self) -> "ClassifyBody":
        if (self.labels is None) == (self.probe is None):
            raise ValueError("give either labels or a probe")
        if sum(value is not None for value in (self.ids, self.image, self.filters)) > 1:
            raise ValueError("give only one of ids, image and filters")
        return self


class PredictionResult(BaseModel):
    """A label and its probability among all labels."""

    label: str
    probability: float


class ClassificationResult(BaseModel):
    """The label of an image, null if it is too improbable; `image` is null for an uploaded one."""

    id: str
    image: ImageResult | None
    label: str | None
    predictions: list[PredictionResult]


class ClassifyResult(BaseModel):
    """The classified images: in the order of `ids`, else by path.

    `warnings` say what the model ignores of the labels.
    """

    model: str
    warnings: list[str]
    images: list[ClassificationResult]


class ExplainBody(Model):
    """A text and the stored image whose score for it is to be explained."""

    text: Text
    id: StoredId
    method: Literal["auto", "occlusion", "patches"] = "auto"


class Peak(BaseModel):
    """A point of an image, in pixels."""

    x: int
    y: int


class WordResult(BaseModel):
    """A word, and by how much the score drops without it."""

    word: str
    contribution: float


class ExplainResult(BaseModel):
    """Where and through which words an image matches a text.

    `heat_map` are rows of at most 16 numbers from 0 to 1: 1 where the image of `width` x `height`
    pixels matches best. `overlay` is the same as a transparent image of its shape, a data URI.
    `warnings` say what the model ignores of the text.
    """

    id: str
    query: str
    model: str
    method: str
    score: float
    width: int
    height: int
    peak: Peak
    words: list[WordResult]
    heat_map: list[list[float]]
    overlay: str
    warnings: list[str]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Input = Annotated[str, Field(min_length=1)]
_InputList = Annotated[list[_Input], Field(min_length=1, max_length=MAX_INPUTS)]

Inputs: TypeAlias = Annotated[
    _InputList, BeforeValidator(_listed, json_schema_input_type=_Input | _InputList)
]
"""One input or several, as a list. A union would say of a list that it is not a string."""


class EmbeddingsBody(Model):
    """Texts or images to embed, as in OpenAI's API.

    With the `modality` image, inputs are data URIs such as `data:image/png;base64,…`; URLs are not
    opened. `model` may be left out, and `dimensions` must be those of the model.
    """

    input: Inputs
    model: Annotated[str, Field(max_length=500)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    modality: Literal["text", "image"] = "text"
    user: Annotated[str, Field(max_length=500)] | None = None


class EmbeddingResult(BaseModel):
    """One embedding of length 1: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """How much was embedded: the number of inputs, as models count tokens in different ways."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResult(BaseModel):
    """The embeddings, in the order of the inputs.

    `warnings` say what the model ignores of the texts; OpenAI's API has no such field.
    """

    object: Literal["list"] = "list"
    data: list[EmbeddingResult]
    model: str
    usage: Usage
    warnings: list[str]
