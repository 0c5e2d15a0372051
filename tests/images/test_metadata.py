"""When, where and by which camera an image was taken, from every source."""

import io
import struct
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from clipsearch.images import timestamps
from clipsearch.images.container import container_time
from clipsearch.images.decode import decode
from clipsearch.images.iptc import iptc_time
from clipsearch.images.metadata import Metadata
from clipsearch.images.timestamps import parse_timestamp
from clipsearch.images.xmp import Xmp
from tests.helpers.image_files import encoded, scene

KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"]
MUNICH = {1: "N", 2: (48.0, 8.0, 13.2), 3: "E", 4: (11.0, 34.0, 30.0)}


def exif(main: dict[int, Any], inner: dict[int, Any], gps: dict[int, Any]) -> bytes:
    result = Image.Exif()
    for tag, value in main.items():
        result[tag] = value
    result.get_ifd(0x8769).update(inner)
    result.get_ifd(0x8825).update(gps)
    return result.tobytes()


def metadata(kind: str = "JPEG", **options: Any) -> Metadata:
    return decode(encoded(scene(), kind, **options)).metadata


@pytest.mark.parametrize("kind", KINDS)
def test_place_and_camera_are_read_from_exif(kind: str) -> None:
    main = {0x010F: "Google", 0x0110: "Pixel 7"}
    found = metadata(kind, exif=exif(main, {}, MUNICH))
    assert found.camera == "Google Pixel 7"
    assert found.latitude == pytest.approx(48.137, abs=1e-6)
    assert found.longitude == pytest.approx(11.575, abs=1e-6)


@pytest.mark.parametrize("time", [None, (25.0, 0.0, 0.0), (1.0, 2.0), (IFDRational(0, 0),) * 3])
def test_the_day_of_a_position_without_a_time(time: tuple[float, ...] | None) -> None:
    gps = {29: "2014:03:02"} | ({} if time is None else {7: time})
    found = metadata(exif=exif({}, {}, gps))
    assert (found.taken_at, found.taken_from) == (datetime(2014, 3, 2), "gps")


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description exif:GPSLatitude="33,54.0S"
 exif:GPSLongitude='151,12,0E' tiff:Make="Canon" xmp:ModifyDate="2020-01-01">
 <photoshop:DateCreated>2015-06-07T12:34:56.78+02:00</photoshop:DateCreated>
 <tiff:Model>Canon EOS &amp; R</tiff:Model></rdf:Description></x:xmpmeta>"""


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_read_from_xmp(kind: str) -> None:
    options: dict[str, Any] = {"xmp": XMP.encode()}
    if kind == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP)
        options = {"pnginfo": text}
    elif kind == "TIFF":
        options = {"tiffinfo": {700: XMP.encode()}}
    found = metadata(kind, **options)
    assert (found.taken_at, found.taken_from) == (datetime(2015, 6, 7, 12, 34, 56), "xmp")
    assert (found.camera, found.latitude) == ("Canon EOS & R", -33.9)
    assert found.longitude == pytest.approx(151.2)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16", "utf-32"])
def test_xmp_may_be_in_utf_16(encoding: str) -> None:
    assert Xmp(XMP.encode(encoding)).capture_time() == datetime(2015, 6, 7, 12, 34, 56)


def test_the_first_source_that_is_a_date_counts() -> None:
    gps = {**MUNICH, 29: "2014:03:02", 7: (1.0, 2.0, 3.5)}
    xmp = b'<r xmp:CreateDate="2016-01-02T03:04:05"/>'
    edited = "2018:01:01 00:00:01"
    zero, future = "0000:00:00 00:00:00", f"{datetime.now() + timedelta(days=9):%Y:%m:%d %H:%M:%S}"
    for main, inner, packet, expected, source in (
        (
            {0x0132: edited},
            {0x9003: "2017:01:01 00:00:01"},
            xmp,
            datetime(2017, 1, 1, 0, 0, 1),
            "exif",
        ),
        ({0x0132: edited}, {0x9003: zero}, xmp, datetime(2018, 1, 1, 0, 0, 1), "exif"),
        ({0x0132: zero}, {0x9003: future}, xmp, datetime(2016, 1, 2, 3, 4, 5), "xmp"),
        ({}, {0x9003: b"\0\xff"}, b"<broken", datetime(2014, 3, 2, 1, 2, 3), "gps"),
    ):
        found = metadata(exif=exif(main, inner, gps), xmp=packet)
        assert (found.taken_at, found.taken_from) == (expected, source)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Creation Time", "Sun, 07 Jun 2015 12:34:56 +0200"),
        ("creation time", "2015:06:07 12:34:56"),
        ("Creation Time", "7 June 2015 12:34:56"),
        ("exif:DateTimeOriginal", "2015:06:07 12:34:56"),
    ],
)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_the_date_of_a_png(keyword: str, value: str, is_compressed: bool) -> None:
    text = PngInfo()
    text.add_text(keyword, value, zip=is_compressed)
    found = metadata("PNG", pnginfo=text)
    assert (found.taken_at, found.taken_from) == (datetime(2015, 6, 7, 12, 34, 56), "png")


EPOCH = datetime(1904, 1, 1)
SUMMER = datetime(2015, 6, 7, 12, 34, 56)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_creation_time(kind: str, time: datetime, **options: Any) -> bytes:
    """An image with a `crtt` property at the end of its `ipco` box."""
    microseconds = (time - EPOCH) // timedelta(microseconds=1)
    created = box(b"crtt", struct.pack(">IQ", 0, microseconds))
    data = bytearray(encoded(scene(), kind, **options))
    iloc = data.index(b"iloc")
    extent = data.index(b"mdat") + 4
    has_base = data[iloc + 9] >> 4  # then a count and an offset of 0 are before the length
    while extent < len(data):
        at = data.index(struct.pack(">I", extent), iloc)
        length = at + 10 if has_base else at + 4
        extent += int.from_bytes(data[length : length + 4])
        struct.pack_into(">I", data, at, int.from_bytes(data[at : at + 4]) + len(created))
    ipco = data.index(b"ipco")
    end = ipco - 4 + int.from_bytes(data[ipco - 4 : ipco])
    for name in (b"meta", b"iprp", b"ipco"):
        start = data.index(name) - 4
        length = int.from_bytes(data[start : start + 4]) + len(created)
        data[start : start + 4] = length.to_bytes(4)
    data[end:end] = created
    return bytes(data)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_the_creation_time_of_a_container(kind: str) -> None:
    found = decode(with_creation_time(kind, SUMMER)).metadata
    assert (found.taken_at, found.taken_from) == (SUMMER, "container")
    edited = exif({0x0132: "2018:01:01 00:00:01"}, {}, {})
    found = decode(with_creation_time(kind, SUMMER, exif=edited)).metadata
    assert (found.taken_at, found.taken_from) == (datetime(2018, 1, 1, 0, 0, 1), "exif")
    for absurd in (EPOCH, datetime(1999, 1, 1), datetime(9999, 1, 1)):
        assert decode(with_creation_time(kind, absurd)).metadata == Metadata()
    assert metadata(kind) == Metadata()


@pytest.mark.parametrize("version", [0, 1])
def test_the_creation_time_of_a_sequence(version: int) -> None:
    created = (SUMMER - EPOCH) // timedelta(seconds=1)
    times = struct.pack(">4QI" if version else ">5I", *([created] * 2), 1000, 1, 0)
    header = box(b"mvhd", bytes([version, 0, 0, 0]) + times)
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"crtt\0"
    data = box(b"ftyp", b"hevc") + large + box(b"moov", box(b"free", b"") + header)
    assert container_time(io.BytesIO(data)) == SUMMER
    assert container_time(io.BytesIO(data[:-1])) is None


@given(st.binary(max_size=200), st.integers(0, 350), st.integers(0, 255))
def test_any_container_is_read_without_an_error(junk: bytes, at: int, value: int) -> None:
    data = bytearray(with_creation_time("AVIF", SUMMER))
    data[at] = value
    for damaged in (data + junk, junk, data[: at + 4] + junk, box(b"meta", junk)):
        time = container_time(io.BytesIO(damaged))
        assert time is None or time.year >= 2000
    empty = box(b"free", b"") * 100_000
    assert container_time(io.BytesIO(empty + data)) is None


def test_the_date_of_iptc() -> None:
    block = b"".join(
        struct.pack(">BBBH", 0x1C, 2, dataset, len(value)) + value
        for dataset, value in ((5, b"title"), (55, b"20150607"), (60, b"123456+0200"))
    )
    resource = (
        b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    )
    payload = b"Photoshop 3.0\0" + resource
    jpeg = encoded(scene(), "JPEG")
    with_iptc = jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]
    found = decode(with_iptc).metadata
    assert (found.taken_at, found.taken_from) == (datetime(2015, 6, 7, 12, 34, 56), "iptc")
    assert iptc_time(block[:30]) is None or iptc_time(block[:30]) == datetime(2015, 6, 7)


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "\0", 2: (0.0, 0.0, 0.0), 3: "\0", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (IFDRational(0, 0),) * 3, 3: "E", 4: (11.0, 0.0, 0.0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)},
        {1: "N", 2: (1.0, 0.0, 0.0), 3: "E", 4: (180.0, 1.0, 0.0)},
        {1: "N", 2: (1.0, 0.0, 0.0)},
        {2: (1.0, 0.0, 0.0), 4: (1.0, 0.0, 0.0)},
        {1: "E", 2: (1.0, 0.0, 0.0), 3: "N", 4: (1.0, 0.0, 0.0)},
    ],
)
def test_a_place_that_is_none(gps: dict[int, Any]) -> None:
    found = metadata(exif=exif({}, {}, gps))
    assert (found.latitude, found.longitude) == (None, None)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Canon ", "Canon EOS 5D\0junk", "Canon EOS 5D"),
        ("SONY", "", "SONY"),
        ("", "X", "X"),
        ("a\nb", "c" * 500, "a b " + "c" * 56),
    ],
)
def test_the_name_of_a_camera(make: str, model: str, camera: str) -> None:
    assert metadata(exif=exif({0x010F: make, 0x0110: model}, {}, {})).camera == camera


@pytest.mark.parametrize("model", ["小米 14", "Ä1", "Ä\xff"])
def test_the_name_of_a_camera_may_be_in_utf_8_or_latin_1(model: str) -> None:
    encoding = "latin-1" if "\xff" in model else "utf-8"
    data = exif({0x0110: "x" * len(model.encode(encoding))}, {}, {})
    changed = data.replace(b"x" * len(model.encode(encoding)), model.encode(encoding))
    assert changed != data
    assert metadata(exif=changed).camera == model


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015:06:07 12:34:56.789", datetime(2015, 6, 7, 12, 34, 56)),
        ("2015-06-07T12:34:56+09:00", datetime(2015, 6, 7, 12, 34, 56)),
        ("2015-06-07T12:34Z", datetime(2015, 6, 7, 12, 34)),
        ("2015/6/7", datetime(2015, 6, 7)),
        ("20150607T123456", datetime(2015, 6, 7, 12, 34, 56)),
        ("7 Jun 2015 12:34:56 GMT", datetime(2015, 6, 7, 12, 34, 56)),
        ("2015", None),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("1970:01:01 00:00:00", None),
        ("1600-01-01", None),
        ("9999:99:99", None),
        ("", None),
        (None, None),
        (b"\xff" * 100_000, None),
    ],
)
def test_timestamps(text: object, expected: datetime | None) -> None:
    assert parse_timestamp(text) == expected


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40)))
def test_any_metadata_is_read_without_an_error(junk: str | bytes) -> None:
    time = parse_timestamp(junk)
    assert time is None or time.year >= 1826
    Xmp(junk).capture_time()
    data = junk.encode("utf-8", "replace") if isinstance(junk, str) else junk
    iptc_time(data)
    assert decode(encoded(scene(), "JPEG", xmp=data, exif=b"Exif\0\0MM\0*" + data)).width


def test_a_computer_whose_clock_is_behind_keeps_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Behind":
            return cls(1970, 1, 1, 0, 3)

    monkeypatch.setattr(timestamps, "datetime", Behind)
    assert parse_timestamp("2024:05:06 07:08:09") == datetime(2024, 5, 6, 7, 8, 9)
    assert parse_timestamp("2099:05:06 07:08:09") is None
