"""Copies look the same; crops, mirrored images and documents that differ by a word do not."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from clipsearch.images.comparison import (
    ERROR_RATIO,
    GRID_TOLERANCE,
    error_ratio,
    grid_distances,
    look_the_same,
    read_gray,
    read_grid,
)

Change = Callable[[Image.Image], Image.Image]


def scene(width: int = 240, height: int = 180) -> Image.Image:
    """Structures of several scales, as images of the world have."""
    rng = np.random.default_rng(0)
    image = Image.new("RGB", (width, height))
    for cells in (3, 8, 24):
        noise = Image.fromarray(rng.integers(0, 255, (cells, cells, 3), dtype=np.uint8))
        image = Image.blend(image, noise.resize((width, height), Image.Resampling.BICUBIC), 0.5)
    ImageDraw.Draw(image).ellipse((40, 30, 140, 130), fill=(250, 220, 30))
    return image


def page(*lines: str, size: tuple[int, int] = (850, 1100), font_size: int = 22) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 60 + 2 * font_size * number), line, fill="black", font_size=font_size)
    return image


def same(folder: Path, first: Image.Image, second: bytes | Image.Image) -> bool:
    paths = folder / "first.png", folder / "second"
    first.save(paths[0])
    paths[1].write_bytes(second if isinstance(second, bytes) else encoded(second, "PNG"))
    grids = [read_grid(path) for path in paths]
    grays = [read_gray(path) for path in paths]
    verdicts = {look_the_same(*grays), look_the_same(*reversed(grays))}
    assert len(verdicts) == 1  # symmetric
    close = grid_distances(np.stack(grids), grids[0])[1] <= GRID_TOLERANCE
    return bool(close) and verdicts == {True}


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def rotated_by_exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image.rotate(90, expand=True), "JPEG", quality=85, exif=exif)


@pytest.mark.parametrize("size", [(64, 48), (240, 180), (1500, 1100)])
@pytest.mark.parametrize(
    "copy",
    [
        lambda image: encoded(image, "JPEG", quality=50),
        lambda image: encoded(image, "WEBP", quality=60),
        lambda image: encoded(half(image), "JPEG", quality=90),
        half,
        lambda image: image.resize((image.width * 2, image.height * 2)),
        rotated_by_exif,
    ],
)
def test_copies_look_the_same(
    tmp_path: Path, size: tuple[int, int], copy: Callable[[Image.Image], bytes | Image.Image]
) -> None:
    assert same(tmp_path, scene(*size), copy(scene(*size)))


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.mirror,
        ImageOps.flip,
        ImageOps.invert,
        lambda image: image.convert("L"),
        lambda image: image.crop((12, 9, 228, 171)),
        lambda image: image.rotate(3),
        lambda image: Image.merge("RGB", image.split()[::-1]),
    ],
)
def test_other_views_do_not_look_the_same(tmp_path: Path, change: Change) -> None:
    assert not same(tmp_path, scene(), change(scene()))


@pytest.mark.parametrize("shrink", [False, True])
@pytest.mark.parametrize(
    ("lines", "others"),
    [
        (("Invoice 1041", "Total 12.00"), ("Invoice 7730", "Total 950.00")),
        (("Invoice 1041", "Total 12.00"), ("Invoice 1041", "Total 13.00")),
        (("the water was cold",) * 20, (*("the water was cold",) * 19, "the water was gold")),
        (("same",), ("same", "one more line")),
    ],
)
def test_documents_that_differ_by_a_word_do_not_look_the_same(
    tmp_path: Path, lines: tuple[str, ...], others: tuple[str, ...], *, shrink: bool
) -> None:
    document, other = page(*lines), page(*others)
    assert not same(tmp_path, document, half(other) if shrink else other)
    assert same(tmp_path, document, half(document) if shrink else document)
    assert same(tmp_path, document, encoded(document, "JPEG", quality=50))


@pytest.mark.parametrize("seed", range(40))
def test_a_look_at_the_worst_place_gives_the_same_verdict(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 200)), int(rng.integers(1, 200)))
    image = scene(*(max(2, side) for side in size)).convert("L")
    other = np.asarray(image).astype(np.int16)
    strength = rng.choice([2, 10, 30, 90])
    row, column = rng.integers(other.shape[0]), rng.integers(other.shape[1])
    other[row : row + 12, column : column + 12] += strength
    other += rng.integers(-3, 4, other.shape, dtype=np.int16)
    changed = Image.fromarray(np.clip(other, 0, 255).astype(np.uint8))
    assert look_the_same(image, changed) == (error_ratio(image, changed) <= ERROR_RATIO)


def test_a_stripe_is_compared(tmp_path: Path) -> None:
    assert same(tmp_path, Image.new("RGB", (190, 1), "red"), Image.new("RGB", (95, 1), "red"))
