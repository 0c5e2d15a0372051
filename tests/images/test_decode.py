"""Files of every format become upright RGB pixels, or an ImageError with a reason."""

import io
import os
import struct
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode, upright
from clipsearch.images.formats import sniff
from tests.helpers.image_files import SIZE, distance, encoded, rotated, scene

pytest.importorskip("pillow_heif")


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))


SAVED = {
    "jpeg": encoded(scene(), "JPEG", quality=95, subsampling=0),
    "png": encoded(scene(), "PNG"),
    "webp": encoded(scene(), "WEBP", lossless=True),
    "gif": encoded(scene(), "GIF"),
    "bmp": encoded(scene(), "BMP"),
    "tiff": encoded(scene(), "TIFF", compression="tiff_lzw"),
    "ppm": encoded(scene(), "PPM"),
    "jpeg2000": encoded(scene(), "JPEG2000"),
    "heif": encoded(scene(), "HEIF", quality=95),
    "avif": encoded(scene(), "AVIF", quality=95, subsampling="4:4:4"),
}


@pytest.mark.parametrize("name", SAVED)
def test_every_format_is_sniffed_and_read_from_bytes_and_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "no_suffix"
    path.write_bytes(SAVED[name])
    for source in (path, SAVED[name]):
        decoded = decode(source)
        assert (decoded.format, decoded.width, decoded.height) == (name, *SIZE)
        assert decoded.image.mode == "RGB"
        assert decoded.metadata.taken_at is None
        assert distance(decoded.image, scene()) < 6
    assert sniff(SAVED[name][:32]) == name


def test_an_open_image_is_copied_upright_and_stays_unchanged() -> None:
    stored, exif = rotated(8)
    with Image.open(io.BytesIO(encoded(stored, "JPEG", exif=exif, quality=95))) as image:
        assert distance(upright(image), scene()) < 6
        assert image.size == stored.size
        assert image.getexif()[0x0112] == 8
    cut = encoded(noise(), "JPEG")[:-2000]
    with Image.open(io.BytesIO(cut)) as image, pytest.raises(ImageError, match="truncated"):
        upright(image)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_or_page_is_decoded(kind: str) -> None:
    others = [Image.new("RGB", SIZE, "white"), Image.new("RGB", SIZE, "gray")]
    data = encoded(scene(), kind, save_all=True, append_images=others)
    decoded = decode(data)
    assert distance(decoded.image, scene()) < 6


def test_a_multi_image_jpeg_is_decoded_as_its_first_image() -> None:
    data = encoded(
        scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))], quality=95
    )
    decoded = decode(data)
    assert (decoded.format, decoded.width, decoded.height) == ("jpeg", *SIZE)
    assert distance(decoded.image, scene()) < 6


def test_large_jpegs_may_be_decoded_smaller_but_not_below_min_side() -> None:
    stored, exif = rotated(6)
    data = encoded(stored.resize((800, 1200)), "JPEG", exif=exif)
    decoded = decode(data, min_side=150)
    assert (decoded.width, decoded.height) == (1200, 800)
    assert decoded.image.size == (300, 200)
    assert distance(decoded.image, scene().resize((300, 200))) < 8
    assert decode(data, min_side=801).image.size == (1200, 800)
    assert decode(encoded(scene(), "PNG"), min_side=4).image.size == SIZE


@pytest.mark.parametrize("name", sorted(SAVED.keys() - {"jpeg"}))
def test_the_limit_on_pixels_holds_before_decoding(name: str) -> None:
    with pytest.raises(ImageError, match=r"too many pixels: 48 x 32 = 1,536, the limit is 1,535"):
        decode(SAVED[name], max_pixels=1535)
    decode(SAVED[name], max_pixels=1536)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_beyond_the_limit_is_decoded_at_the_largest_scale_that_fits(
    options: dict[str, bool],
) -> None:
    data = encoded(scene().resize((1200, 800)), "JPEG", **options)
    for limit, size in (
        (960_000, (1200, 800)),
        (959_999, (600, 400)),
        (239_999, (300, 200)),
        (15_000, (150, 100)),
    ):
        decoded = decode(data, max_pixels=limit)
        assert (decoded.width, decoded.height) == (1200, 800)
        assert decoded.image.size == size
        assert distance(decoded.image, scene().resize(size)) < 8
    assert decode(data, max_pixels=959_999, min_side=700).image.size == (600, 400)
    assert decode(data, max_pixels=959_999, min_side=150).image.size == (300, 200)
    with pytest.raises(ImageError, match="too many pixels"):
        decode(data, max_pixels=14_999)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_stripe_is_refused_at_every_door(kind: str) -> None:
    for size in ((1, 201), (4020, 20)):
        with pytest.raises(ImageError, match=r"aspect ratio exceeds 200:1"):
            decode(encoded(Image.new("RGB", size), kind))
        with pytest.raises(ImageError, match=r"aspect ratio exceeds 200:1"):
            upright(Image.new("RGB", size))
    decode(encoded(Image.new("RGB", (200, 1)), kind))


def test_pillows_own_limit_does_not_interfere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # it warns above, and refuses twice that
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (*SAVED.values(), encoded(scene(), "TIFF"), encoded(rotated(6)[0], "TIFF")):
            assert decode(data).width * decode(data).height == 1536
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_pillow_still_has_the_private_size_that_decoding_a_tiff_uses() -> None:
    with Image.open(io.BytesIO(encoded(rotated(6)[0], "TIFF"))) as image:
        assert hasattr(image, "_tile_size"), (
            "Pillow renamed TiffImageFile._tile_size: see how load_prepare allocates memory, and "
            "do the same in clipsearch.images.tiff._PillowTiff"
        )


def test_a_decompression_bomb_is_rejected_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = SAVED["png"][:16] + header + SAVED["png"][29:]
    with pytest.raises(ImageError, match=r"too many pixels|corrupt"):
        decode(bomb)
    with pytest.raises(ImageError, match="3,600,000,000, the limit is 250,000,000"):
        decode(b"P6 60000 60000 255\n")


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_a_truncated_file_fails_with_that_reason(name: str, part: float) -> None:
    kind = {"jpeg2000": "JPEG2000"}.get(name, name.upper())
    data = encoded(noise(), kind)
    with pytest.raises(ImageError, match=r"^truncated") as caught:
        decode(data[: int(len(data) * part)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0" * 5000, "zeros"),
        (b"Dear diary, today I took no images.", "not an image"),
        (b"BM is how this text begins, and it goes on for a while.", "not an image"),
        (b"%PDF-1.7\n", "unsupported format: PDF"),
        (b"\n<!DOCTYPE html><title>404</title>", "HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"qoif\0\0\0\x60", "QOI"),
        (b"\0\0\0\x08wide\0\0\1\0mdat", "video"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "archive"),
    ],
)
def test_a_file_that_is_not_an_image_is_rejected_with_its_format(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        decode(path)
    assert "image.jpg" not in str(caught.value)


def test_paths_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="no such file"):
        decode(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="it is a folder"):
        decode(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(ImageError, match="not a regular file"):
            decode(tmp_path / "pipe.jpg")

    def denied(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "locked.jpg").write_bytes(SAVED["jpeg"])
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ImageError, match=r"^permission denied$"):
        decode(tmp_path / "locked.jpg")


def test_many_threads_decode_at_once() -> None:
    expected = {name: decode(data).image.tobytes() for name, data in SAVED.items()}
    gate = threading.Barrier(8)

    def work(_: int) -> None:
        gate.wait(timeout=30)
        for _ in range(5):
            for name, data in SAVED.items():
                assert decode(data).image.tobytes() == expected[name]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def survives(data: bytes) -> None:
    """Decoding gives an image or an ImageError of one line, whatever the bytes are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decoded = decode(data, max_pixels=100_000)
        except ImageError as error:
            lines = str(error).splitlines()
        else:
            assert decoded.image.mode == "RGB"
            size = 3 * decoded.width * decoded.height
            pixels = len(decoded.image.tobytes())
            assert 0.75 * size <= pixels < size if decoded.truncated else pixels == size
            return
    assert len(lines) == 1


HEADS = [data[:size] for data in SAVED.values() for size in (4, 12, 32)]


@settings(max_examples=100)
@given(st.sampled_from([b"", *HEADS]), st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(head: bytes, tail: bytes) -> None:
    survives(head + tail)


@settings(max_examples=200)
@given(st.data())
def test_damaged_files_raise_nothing_else(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(list(SAVED.values()))))
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        content[place] ^= data.draw(st.integers(1, 255))
    survives(bytes(content[: data.draw(st.integers(0, len(content)))]))
    survives(bytes(content))


def test_real_images_decode(shared_data: Path) -> None:
    for folder in ("coco", "imagenet_sample", "objects", "grocery", "scene_text"):
        for path in sorted((shared_data / folder).rglob("*.[jJ][pP]*"))[:4]:
            decoded = decode(path)
            with Image.open(path) as opened:
                assert (decoded.width, decoded.height) == opened.size
            assert decoded.format == "jpeg"
