"""What the tools take: types from which the SDK makes JSON schemas, and checks arguments."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from clipsearch.query import Filters

ImageId = Annotated[str, Field(pattern="^[0-9a-fA-F]{6,32}$")]
Text = Annotated[str, Field(max_length=2_000)]
Without = Annotated[
    list[Text], Field(max_length=10, description="What the images must not show, such as people.")
]
Description = Annotated[
    Text, Field(description="What the images show, in a few words: a dog on a beach.")
]
AddedImage = Annotated[
    ImageId | None, Field(description="A stored image, to be added to the text.")
]
Limit = Annotated[int, Field(ge=1, le=100, description="Maximum number of images.")]
Textness = Annotated[
    float | None,
    Field(description="Prefer images that show less written text (-1, -2) or more (1, 2)."),
]
Says = Annotated[
    str | None,
    Field(
        max_length=1_000,
        description='Words that must be written in the images, or a "phrase" in quotes.',
    ),
]
MinZ = Annotated[float | None, Field(description="Leave out images with a lower z; try 3.")]
MinP = Annotated[
    float | None,
    Field(ge=0, le=1, description="Leave out images with a lower p; try 0.2."),
]
MaxTextness = Annotated[
    float | None,
    Field(ge=0, le=1, description="Leave out images that show more written text than this."),
]


class ImageFilters(BaseModel):
    """Conditions on images, all of which must hold."""

    model_config = ConfigDict(extra="forbid")

    under: str | None = Field(
        default=None, description="Only images in this folder (its full path)."
    )
    glob: str | None = Field(
        default=None,
        description="Only file names that match, or paths: IMG_*.jpg, 2015/*.png",
    )
    taken_from: str | None = Field(
        default=None,
        description="Only images taken at this time or later: 2015, 2015-06, 2015-06-07",
    )
    taken_before: str | None = Field(default=None, description="Only images taken before this.")
    formats: list[str] = Field(default=[], description="Only these formats: jpeg, png, heic, …")
    tags: list[str] = Field(default=[], description="Only images with all of these tags.")
    camera: str | None = Field(default=None, description="Part of the camera's make or model.")
    near: Annotated[list[float], Field(min_length=3, max_length=3)] | None = Field(
        default=None, description="Only images taken near a place: latitude, longitude, kilometers."
    )
    min_width: int | None = Field(default=None, description="Pixels.")
    min_height: int | None = Field(default=None, description="Pixels.")
    min_bytes: int | None = Field(default=None, description="Size of the file.")
    max_bytes: int | None = Field(default=None, description="Size of the file.")

    def to_filters(self) -> Filters:
        """Return the filters of a query; raise UsageError on a value that it does not accept."""
        return Filters(**self.model_dump(exclude_none=True))


NO_FILTERS = ImageFilters()
