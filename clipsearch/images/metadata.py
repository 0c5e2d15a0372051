"""When, where and by which camera an image was taken: the first source that says it."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from PIL import Image

from clipsearch.images.container import container_time
from clipsearch.images.exif import Exif
from clipsearch.images.iptc import iptc_time
from clipsearch.images.timestamps import parse_timestamp
from clipsearch.images.xmp import Xmp

CAMERA_LENGTH = 60
"""Characters of make and model: their UTF-8 fits the store's field."""

_XMP_TAG, _IPTC_TAG, _IPTC_RESOURCE = 700, 33723, 0x0404
_JPEG_KEYS = frozenset({"exif", "xmp", "photoshop"})
"""Where Pillow keeps the metadata of a JPEG."""

_PNG_TIMES = (
    "creationtime",
    "datetimeoriginal",
    "exifdatetimeoriginal",
    "creationdate",
    "createdate",
)
"""Keywords without case and marks; only the first is in the standard."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its image; see `ImageRecord`."""

    taken_at: datetime | None = None
    taken_from: str = ""
    camera: str = ""
    latitude: float | None = None
    longitude: float | None = None


def read_metadata(image: Image.Image, container: BinaryIO | None = None) -> Metadata:
    """Read the metadata of an open image; damaged metadata counts as none.

    `container` is the open HEIC or AVIF file that the image is from.
    """
    if image.format == "JPEG" and _JPEG_KEYS.isdisjoint(image.info):
        return Metadata()  # at once, as this is a twentieth of the time of decoding
    try:
        return _read(image, container)
    except Exception:  # noqa: BLE001 - metadata of any kind must not make an image fail
        return Metadata()


def _read(image: Image.Image, container: BinaryIO | None) -> Metadata:
    exif, xmp = Exif(image), Xmp(_xmp_packet(image))
    sources: list[tuple[str, Callable[[], datetime | None]]] = [
        ("exif", exif.capture_time),
        ("xmp", xmp.capture_time),
        ("iptc", lambda: iptc_time(_iptc_block(image))),
        ("gps", exif.gps_time),
        ("png", lambda: next(filter(None, _png_times(image)), None)),
        ("container", lambda: None if container is None else container_time(container)),
    ]
    times = ((name, read()) for name, read in sources)
    taken_from, taken_at = next(((name, time) for name, time in times if time), ("", None))
    place = _valid(exif.place()) or _valid(xmp.place())
    latitude, longitude = place or (None, None)
    camera = _camera(*exif.camera()) or _camera(*xmp.camera())
    return Metadata(taken_at, taken_from, camera, latitude, longitude)


def _xmp_packet(image: Image.Image) -> object:
    info = image.info
    return info.get("xmp") or info.get("XML:com.adobe.xmp") or _tiff_tag(image, _XMP_TAG)


def _iptc_block(image: Image.Image) -> object:
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        return resources.get(_IPTC_RESOURCE)
    return _tiff_tag(image, _IPTC_TAG)


def _tiff_tag(image: Image.Image, tag: int) -> object:
    value = getattr(image, "tag_v2", {}).get(tag)
    return bytes(value) if isinstance(value, tuple) else value


def _png_times(image: Image.Image) -> Iterator[datetime | None]:
    if image.format != "PNG":
        return
    texts = {
        "".join(filter(str.isalpha, name.lower())): text
        for name, text in image.info.items()
        if isinstance(name, str) and isinstance(text, str)
    }
    for name in _PNG_TIMES:
        if name in texts:
            yield parse_timestamp(texts[name])


def _valid(place: tuple[float, float] | None) -> tuple[float, float] | None:
    """A place on the globe; 0° N 0° E is what receivers without a position write."""
    if place is None or place == (0, 0):
        return None
    latitude, longitude = place
    return place if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _camera(make: object, model: object) -> str:
    """Make and model as one name, without a make that the model repeats."""
    maker, name = _clean(make), _clean(model)
    if not maker or not name:
        camera = maker or name
    else:
        repeats = name.lower().startswith(maker.split()[0].lower())
        camera = name if repeats else f"{maker} {name}"
    return camera[:CAMERA_LENGTH].strip()


def _clean(value: object) -> str:
    """Text without control characters, unpaired surrogates and repeated spaces."""
    if not value:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = unicodedata.normalize("NFC", value) if isinstance(value, str) else ""
    text = text.partition("\0")[0]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
