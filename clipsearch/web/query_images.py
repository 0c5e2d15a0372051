"""Uploaded query images: a short-lived id for each, so that URLs stay short."""

import io
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from clipsearch.images.hashing import content_hash
from clipsearch.index import Index
from clipsearch.query.parser import EmbeddedImage

SECONDS = 24 * 3600.0
"""How long an image is kept after its last use."""

MAX_IMAGES = 1_000
"""Images that are kept, the last used ones; each takes about 20 kB."""

PREVIEW_SIDE = 256


@dataclass(frozen=True, slots=True)
class Upload:
    """A decoded upload: its hash, its size in pixels, upright, and its preview in WebP."""

    content_hash: str
    width: int
    height: int
    preview: bytes
    image: Image.Image


@dataclass(slots=True)
class QueryImage:
    """A query image: what a term contains, its size, its preview, and until when it is kept."""

    id: str
    content: EmbeddedImage
    width: int
    height: int
    preview: bytes
    expires_at: float
    """In seconds since 1970."""


class QueryImages:
    """The query images of a server, in memory; thread-safe."""

    def __init__(self, *, seconds: float = SECONDS, max_images: int = MAX_IMAGES) -> None:
        self._seconds = seconds
        self._max_images = max_images
        self._images: OrderedDict[str, QueryImage] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, upload: Upload, content: EmbeddedImage) -> QueryImage:
        """Keep an image under a new id that nobody can guess."""
        image = QueryImage(
            f"q_{secrets.token_urlsafe(12)}",
            content,
            upload.width,
            upload.height,
            upload.preview,
            time.time() + self._seconds,
        )
        with self._lock:
            self._images[image.id] = image
            while len(self._images) > self._max_images:
                self._images.popitem(last=False)
        return image

    def get(self, id_: str) -> QueryImage | None:
        """Return an image and keep it longer; None if there is none, or not any more."""
        now = time.time()
        with self._lock:
            image = self._images.pop(id_, None)
            if image is None or image.expires_at < now:
                return None
            image.expires_at = now + self._seconds
            self._images[id_] = image
            return image


def read_upload(data: bytes, *, max_pixels: int) -> Upload:
    """Decode an uploaded file; raise ImageError if it is not an image, or too large."""
    if not data:
        raise ImageError("the file is empty")
    decoded = decode(data, max_pixels=max_pixels)
    preview = decoded.image.copy()
    preview.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    preview.save(out, "WEBP", quality=80)
    return Upload(content_hash(data), decoded.width, decoded.height, out.getvalue(), decoded.image)


def embed_upload(upload: Upload, index: Index) -> EmbeddedImage:
    """Embed an upload by the collection's model."""
    [embedding] = index.embed_images([upload.image])
    weights = index.collection.info.model.weights  # now, as a reindex may have come before that
    return EmbeddedImage(embedding, weights, upload.content_hash)
