"""Images for a server: the content of a file as it is, others as PNG."""

import base64
import io
import secrets
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image

from clipsearch.client.session import HTTPSession
from clipsearch.errors import ImageError, UsageError, of_process
from clipsearch.files.paths import canonical, expand_user, is_file, is_missing
from clipsearch.images.hashing import image_id
from clipsearch.query.embed import open_image
from clipsearch.query.parser import EmbeddedImage, RemoteImage, StoredImage, Term

Uploadable: TypeAlias = Path | RemoteImage | StoredImage | Image.Image
"""The contents of image terms."""


class ImageUploads:
    """Makes terms as JSON for a server, which gets the images of this machine first."""

    def __init__(self, session: HTTPSession) -> None:
        """Use a session of the client's."""
        self._session = session

    def term_json(self, term: Term) -> dict[str, Any]:
        """Return a term as JSON; an image at a URL or of this machine becomes an uploaded one.

        A path that does not exist here names the image that the collection holds under it. Raises
        UsageError if there is none.
        """
        content = term.content
        if isinstance(content, str):
            value = {"text": content}
        elif isinstance(content, StoredImage):
            value = {"id": self._stored_id(content.path) if content.path else content.id}
        elif isinstance(content, Path) and is_missing(expand_user(content)):
            value = {"id": self._stored_id(content)}
        elif isinstance(content, EmbeddedImage):
            raise UsageError("an embedding cannot be part of a query over HTTP: give an image")
        else:
            value = {"image": self._upload(content)}
        return {**value, **({} if term.weight == 1 else {"weight": term.weight})}

    def _stored_id(self, path: Path) -> str:
        id_ = image_id(canonical(path))
        try:
            self._session.get(f"/v1/images/{id_}")
        except UsageError as error:
            raise UsageError(
                f"no such image: {path} (neither a file here nor a path in the collection)"
            ) from error
        return id_

    def _upload(self, image: Uploadable) -> str:
        body, content_type = multipart(image_bytes(image))
        try:
            response = self._session.send("POST", "/v1/query-images", body, content_type)
        except ImageError as error:
            raise ImageError(f"{image_name(image)}: {error}") from error
        return str(response.json()["id"])


def image_bytes(image: Uploadable) -> bytes:
    """Return the bytes of an image file; raise ImageError or UsageError naming the image.

    The server decodes files, so that they give the same embedding as there. An image at a URL is
    downloaded here: the server opens no URLs.
    """
    if isinstance(image, Path):
        path = expand_user(image)
        if is_missing(path):
            raise UsageError(f"no such image: {image}")
        if not is_file(path):  # reading a device may never end
            raise ImageError(f"{image}: it is not a file")
        try:
            return path.read_bytes()
        except OSError as error:
            if of_process(error):
                raise
            raise ImageError(f"{image}: {(error.strerror or str(error)).lower()}") from error
    buffer = io.BytesIO()
    open_image(image).save(buffer, "PNG", compress_level=1)  # four times as fast as the default
    return buffer.getvalue()


def upload_size(image: Uploadable) -> int:
    """Estimate the length of `image_bytes`."""
    if isinstance(image, Image.Image):
        return 3 * image.width * image.height
    try:
        return expand_user(image).stat().st_size if isinstance(image, Path) else 1 << 20
    except OSError:
        return 1


def image_name(image: Uploadable) -> str:
    """Return what an error message calls an image."""
    if isinstance(image, RemoteImage):
        return image.url
    return str(image) if isinstance(image, Path) else "an image in memory"


def multipart(data: bytes) -> tuple[bytes, str]:
    """Return a form with one file named `file`, and its content type (RFC 7578)."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="query"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def data_uri(data: bytes) -> str:
    """Return bytes as a URI (RFC 2397)."""
    return f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
