"""What happens to one file: read and identified, then decoded. Each step runs in a worker thread."""

from dataclasses import dataclass

from clipsearch.errors import ImageError
from clipsearch.identity import content_hash, photo_id
from clipsearch.images import decode
from clipsearch.models.base import Encoder
from clipsearch.types import Photo, Pixels
from ingest.files import Found


@dataclass(frozen=True, slots=True)
class Identified:
    """A file and the hash of its content."""

    found: Found
    content_hash: str

    @property
    def id(self) -> str:
        return photo_id(self.found.path)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture ready to be embedded."""

    item: Identified
    photo: Photo
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that could not be read, of whose content nothing is known."""

    found: Found
    reason: str


@dataclass(frozen=True, slots=True)
class NoPicture:
    """A file whose content is no picture: so are all files of that content."""

    item: Identified
    reason: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A file that could not be read a second time, or was another one by then."""

    item: Identified
    reason: str


def identify(found: Found) -> Identified | Rejected:
    """Hash a file's content."""
    try:
        return Identified(found, content_hash(found.path.read_bytes()))
    except OSError as error:
        return Rejected(found, _reason(error))


def load(item: Identified, *, encoder: Encoder, max_pixels: int) -> Loaded | NoPicture | Unsettled:
    """Decode and preprocess a file, after making sure that it still is what was identified."""
    try:
        data = item.found.path.read_bytes()
    except OSError as error:
        return Unsettled(item, _reason(error))
    if content_hash(data) != item.content_hash:
        return Unsettled(item, "changed while it was read: ingest it again")
    try:
        decoded = decode(data, max_pixels=max_pixels)
    except ImageError as error:
        return NoPicture(item, str(error))
    photo = Photo(
        id=item.id,
        path=item.found.path,
        content_hash=item.content_hash,
        size=item.found.size,
        mtime_ns=item.found.mtime_ns,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        taken_at=decoded.taken_at,
    )
    return Loaded(item, photo, encoder.preprocess(decoded.image))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
