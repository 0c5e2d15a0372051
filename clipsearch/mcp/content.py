"""What a result consists of for an assistant: texts and images."""

import io
from base64 import b64encode

from mcp.types import ImageContent, TextContent
from PIL.Image import Image

JPEG_QUALITY = 85


def text_content(text: str) -> TextContent:
    """Return a text as a part of a result."""
    return TextContent(type="text", text=text)


def jpeg_content(image: Image) -> ImageContent:
    """Return an RGB image as a part of a result, encoded as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    data = b64encode(file.getvalue()).decode()
    return ImageContent(type="image", data=data, mime_type="image/jpeg")
