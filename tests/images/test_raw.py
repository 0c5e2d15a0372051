"""Camera raw files become the preview or a development, upright, and never the thumbnail."""

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageError, MissingDecoderError
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import decode_file, hash_file
from clipsearch.files.walk import FileSelection
from clipsearch.images import optional
from clipsearch.images.decode import decode
from clipsearch.images.formats import sniff
from clipsearch.images.raw import raw_exif
from clipsearch.images.tiff_directories import TiffContent, inspect_tiff
from clipsearch.types import Failure
from tests.helpers.image_files import STORED, encoded, scene
from tests.helpers.raw_files import Page, dng, mosaic_page, preview_page, rgb_page, tiff

pytest.importorskip("rawpy")

SENSOR = scene().resize((1440, 960))
PLAIN = {".jpg", ".jpeg", ".heic", ".png"}
DATE = b"2019:05:06 07:08:09\0"
SMALL = scene().resize((300, 200))


def is_camera_raw(stream: io.BytesIO) -> bool:
    return inspect_tiff(stream).is_raw


def stored(orientation: int, image: Image.Image) -> Image.Image:
    for step in STORED[orientation]:
        image = image.transpose(step)
    return image


def likeness(one: Image.Image, other: Image.Image) -> float:
    """The correlation of two images at 48 x 32 pixels."""
    assert (one.width > one.height) == (other.width > other.height)
    first, second = (np.asarray(image.resize((48, 32)), float).ravel() for image in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", STORED)
def test_sensor_data_and_previews_are_turned_upright(orientation: int, order: str) -> None:
    sensor = stored(orientation, SENSOR)
    for preview in (None, sensor.resize((sensor.width // 5 * 3, sensor.height // 5 * 3))):
        data = dng(sensor, preview=preview, orientation=orientation, order=order)
        decoded = decode(data)
        assert (decoded.format, decoded.width, decoded.height) == ("raw", *SENSOR.size)
        assert decoded.image.mode == "RGB"
        assert decoded.image.size == ((864, 576) if preview else SENSOR.size)
        assert likeness(decoded.image, SENSOR) > 0.98


def test_a_preview_that_the_camera_turned_stays_as_it_is() -> None:
    sensor = stored(6, SENSOR.transpose(Image.Transpose.ROTATE_90))
    upright = SENSOR.transpose(Image.Transpose.ROTATE_90)
    decoded = decode(dng(sensor, preview=upright, orientation=6))
    assert likeness(decoded.image, upright) > 0.99


def test_a_small_preview_is_not_taken() -> None:
    thumb = Image.new("RGB", (360, 240), "white")
    decoded = decode(dng(SENSOR, preview=thumb))
    assert decoded.image.size == SENSOR.size
    assert likeness(decoded.image, SENSOR) > 0.98
    enough = Image.new("RGB", (900, 600), "white")
    assert decode(dng(SENSOR, preview=enough)).image.getpixel((0, 0)) == (255, 255, 255)
    large = decode(dng(SENSOR, preview=enough), min_side=700)
    assert likeness(large.image, SENSOR) > 0.98


def test_a_large_sensor_is_developed_at_half_size() -> None:
    decoded = decode(dng(scene().resize((2400, 1600))))
    assert (decoded.width, decoded.height) == (2400, 1600)
    assert decoded.image.size == (1200, 800)
    assert likeness(decoded.image, scene()) > 0.98


def test_the_capture_time_is_read() -> None:
    taken = decode(dng(SMALL, taken="2019:05:06 07:08:09")).metadata.taken_at
    assert taken is not None
    assert taken.isoformat() == "2019-05-06T07:08:09"


def test_the_limit_is_the_size_of_the_sensor() -> None:
    data = dng(SENSOR, preview=SENSOR.resize((900, 600)))
    with pytest.raises(ImageError, match="too many pixels: 1440 x 960"):
        decode(data, max_pixels=1_000_000)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    for name in ("a.tif", "b.jpg", "c", "d.nef"):
        path = tmp_path / name
        path.write_bytes(dng(SMALL))
        assert decode(path).format == "raw"
        path.write_bytes(encoded(scene(), "TIFF"))
        assert decode(path).format == "tiff"


THUMB = Image.new("RGB", (24, 16))
RAW_TIFFS: dict[str, Page] = {
    "filter pattern below": rgb_page(THUMB),
    "version only": rgb_page(THUMB, (50706, 1, (1, 4, 0, 0))),
    "private data": rgb_page(THUMB, (50740, 4, (0,))),
    "mosaic first": mosaic_page(SMALL),
}
RAW_TIFFS["filter pattern below"].pages = [preview_page(SMALL), mosaic_page(SMALL)]
for code in (32767, 32770, 34713, 65000, 65535):
    compressed = Page(b"x" * 99, [(256, 4, (9,)), (257, 4, (9,)), (259, 3, (code,))])
    RAW_TIFFS[f"compression {code}"] = rgb_page(THUMB)
    RAW_TIFFS[f"compression {code}"].pages = [compressed]


@pytest.mark.parametrize("name", RAW_TIFFS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_that_is_a_tiff_is_never_its_thumbnail(name: str, order: str) -> None:
    data = tiff(RAW_TIFFS[name], order)
    assert is_camera_raw(io.BytesIO(data))
    try:
        decoded = decode(data)
    except ImageError as error:
        assert "camera raw" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert (decoded.format, decoded.width) == ("raw", SMALL.width)


@pytest.mark.parametrize(
    "head", [b"II*\0\x10\0\0\0CR\x02\0", b"II*\0\x30\0\0\0IIII", b"MM\0*\0\0\0\x30MMMM"]
)
def test_makers_mark_their_files_after_the_header(head: bytes) -> None:
    assert is_camera_raw(io.BytesIO(head + bytes(99)))


def test_ordinary_tiff_files_are_not_raw() -> None:
    pages = [Image.new("L", (9, 9))]
    for options in ({}, {"compression": "tiff_lzw"}, {"save_all": True, "append_images": pages}):
        assert not is_camera_raw(io.BytesIO(encoded(scene(), "TIFF", **options)))
    assert not is_camera_raw(io.BytesIO(encoded(scene(), "TIFF", big_tiff=True)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_of_a_tiff_that_begins_with_a_thumbnail_the_image_is_read(order: str) -> None:
    whole, smaller = rgb_page(SMALL), rgb_page(SMALL.resize((150, 100)))
    whole.tags[0] = smaller.tags[0] = (254, 4, (0,))
    first = rgb_page(Image.new("RGB", (24, 16), "blue"))
    first.pages = [smaller, whole, preview_page(SENSOR)]
    decoded = decode(tiff(first, order))
    assert (decoded.format, decoded.width, decoded.height) == ("tiff", *SMALL.size)
    assert likeness(decoded.image, SMALL) > 0.99
    options = {"save_all": True, "append_images": [SMALL.copy()]}
    pages = encoded(Image.new("RGB", (24, 16)), "TIFF", tiffinfo={254: 1}, **options)
    assert decode(pages).width == SMALL.width
    # Without that flag, the first page is the image, whatever the size of the others.
    assert decode(encoded(Image.new("RGB", (24, 16)), "TIFF", **options)).width == 24
    plain = TiffContent(is_raw=False, is_plain=True)
    assert inspect_tiff(io.BytesIO(tiff(rgb_page(THUMB), order))) == plain


def test_a_broken_directory_does_not_hide_the_others() -> None:
    page = rgb_page(THUMB)
    page.pages = [mosaic_page(SMALL)]
    data = tiff(page)
    tag = data.index(struct.pack("<HHI", 330, 4, 1))
    (below,) = struct.unpack_from("<I", data, tag + 8)
    table = len(data)
    changed = bytearray(data + struct.pack("<2I", 1 << 30, below))
    struct.pack_into("<II", changed, tag + 4, 2, table)
    assert is_camera_raw(io.BytesIO(changed))


def test_directories_that_form_a_loop_end() -> None:
    page = rgb_page(THUMB)
    data = bytearray(tiff(page))
    offset = int.from_bytes(data[4:8], "little")
    data[-4:] = offset.to_bytes(4, "little")
    assert not is_camera_raw(io.BytesIO(bytes(data)))


@settings(max_examples=300)
@given(st.data())
def test_damaged_directories_raise_nothing_else(data: st.DataObject) -> None:
    original = tiff(RAW_TIFFS["filter pattern below"])[-700:]
    damaged = bytearray(b"II*\0\x08\0\0\0" + original)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    stream = io.BytesIO(damaged)
    assert is_camera_raw(stream) in (True, False)
    assert stream.tell() == 0


@pytest.mark.parametrize(
    "head",
    [
        b"IIRO\x08\0\0\0",
        b"IIRS\x08\0\0\0",
        b"MMOR\0\0\0\x08",
        b"IIU\0\x18\0\0\0",
        b"FUJIFILMCCD-RAW 0201",
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"II\x1a\0\0\0HEAPCCDR",
        b"\0MRM\0\0",
        b"FOVb\0\0",
    ],
)
def test_other_raw_files_are_known_by_their_first_bytes(head: bytes) -> None:
    assert sniff(head.ljust(64, b"\0")) == "raw"
    with pytest.raises(ImageError, match="camera raw"):
        decode(head + bytes(500))


def test_without_rawpy_a_named_file_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = tmp_path / "a.tif"
    path.write_bytes(dng(SMALL))
    with pytest.raises(MissingDecoderError, match=r"pip install 'clipsearch\[raw\]'"):
        decode(path)
    hashed = hash_file(next(item for item in FileSource([path]) if isinstance(item, ImageFile)))
    assert not isinstance(hashed, Failure)
    failure = decode_file(hashed)
    assert isinstance(failure, Failure)
    assert failure.kind == "unreadable"  # tried again in the next run, unlike a broken file


def test_without_rawpy_files_in_folders_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    optional.missing_decoders.cache_clear()
    try:
        (tmp_path / "a.NEF").write_bytes(dng(SMALL))
        source = FileSource([tmp_path])
        assert list(source) == []
        assert source.skipped.describe() == (
            "1 of other formats (.nef 1); to read .nef: pip install 'clipsearch[raw]'"
        )
    finally:
        optional.missing_decoders.cache_clear()


def test_raw_files_beside_an_image_of_the_same_name_are_skipped(tmp_path: Path) -> None:
    names = ("1.CR2", "1.jpg", "2.dng", "2.HEIC", "3.nef", "4.nef", "4.png", "5.jpg", "sub/3.jpg")
    for name in (*names, "6.arw", "6.jpeg", ".7.jpg", "7.dng"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "8.orf").write_bytes(b"x")
    (tmp_path / "8.jpg").mkdir()

    def found(selection: FileSelection) -> tuple[set[str], int]:
        source = FileSource([tmp_path], selection)
        raws = {item.path.name for item in source if item.path.suffix.lower() not in PLAIN}
        return raws, source.skipped.raw_pairs

    lone = {"3.nef", "4.nef", "7.dng", "8.orf"}
    assert found(FileSelection()) == (lone | {"1.CR2", "2.dng", "6.arw"}, 0)
    assert found(FileSelection(skip_raw_pairs=True)) == (lone, 3)
    # An image that is excluded does not stand for its raw file.
    without = FileSelection(skip_raw_pairs=True, exclude=("1.*g",))
    assert found(without) == (lone | {"1.CR2"}, 2)


def test_the_metadata_of_other_makers_is_found() -> None:
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    whole = exif.tobytes().removeprefix(b"Exif\0\0")

    def capture(data: bytes) -> tuple[object, object]:
        image = Image.new("RGB", (9, 9))
        image.info["exif"] = raw_exif(data)
        found = image.getexif()
        return found.get(0x0110), found.get_ifd(0x8769).get(0x9003)

    expected = ("Camera", "2019:05:06 07:08:09")
    little = tiff(Page(b"", [(0x0110, 2, b"Camera\0")], exif=[(0x9003, 2, DATE)]))
    for magic in (b"IIRO", b"IIRS", b"IIU\0", b"II*\0"):
        assert capture(magic + little[4:]) == expected
    assert capture(b"MMOR" + whole[4:]) == expected
    jpeg = encoded(SMALL.copy(), "JPEG", exif=exif)
    header = b"FUJIFILMCCD-RAW ".ljust(84, b"0") + struct.pack(">II", 200, len(jpeg))
    assert capture(header.ljust(200, b"\0") + jpeg) == expected
    inner = tiff(Page(b"", [(0x9003, 2, DATE)]))
    main = tiff(Page(b"", [(0x0110, 2, b"Camera\0")]))
    boxes = b"".join(
        struct.pack(">I", 8 + len(box)) + name + box
        for name, box in ((b"CMT1", main), (b"CMT2", inner))
    )
    canon = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + b"\0\0\1\0moov" + boxes
    assert capture(canon) == expected
    for broken in (b"FUJIFILMCCD-RAW", canon[:30], b"FOVb", canon.replace(b"CMT1", b"CMT9")):
        assert raw_exif(broken) is None


def test_a_raw_file_that_was_cut_is_not_its_thumbnail() -> None:
    page = rgb_page(THUMB)
    page.pages = [mosaic_page(SMALL)]
    data = bytearray(tiff(page))
    struct.pack_into("<I", data, data.index(struct.pack("<HHI", 330, 4, 1)) + 8, len(data) + 99)
    with pytest.raises(ImageError, match="camera raw"):
        decode(bytes(data))
