"""Text drawn onto images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from clipsearch.errors import UsageError
from clipsearch.fonts import has_glyphs
from clipsearch.textness import TextRenderer, draw_background, find_fonts


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def changed(before: Image.Image, after: Image.Image) -> float:
    """The share of pixels that differ."""
    difference = np.asarray(ImageChops.difference(before, after)).max(axis=2)
    return float((difference > 8).mean())


@pytest.fixture
def image() -> Image.Image:
    return draw_background(rng(1))


def test_text_stays_inside_a_box(image: Image.Image) -> None:
    box = (40, 30, 200, 150)
    for number in range(40):
        written = TextRenderer(fonts=()).render(image, rng(number), within=box)
        bounds = ImageChops.difference(image, written).getbbox()
        assert bounds is not None
        assert all(np.array(bounds[:2]) >= box[:2])
        assert all(np.array(bounds[2:]) <= box[2:])


def test_every_image_gets_text_and_keeps_its_size(image: Image.Image) -> None:
    renderer = TextRenderer(fonts=())
    before = image.copy()
    shares = []
    for number in range(40):
        written = renderer.render(image, rng(number))
        assert (written.mode, written.size) == ("RGB", image.size)
        shares.append(changed(image, written))
    assert image == before
    assert min(shares) > 0.001
    assert min(shares) < 0.05 < 0.5 < max(shares)  # from a date in a corner to a page


def test_rendering_is_deterministic(image: Image.Image) -> None:
    first, again = (TextRenderer(fonts=()).render(image, rng(3)) for _ in range(2))
    assert first == again
    assert first != TextRenderer(fonts=()).render(image, rng(4))
    assert draw_background(rng(5)) == draw_background(rng(5))


def test_a_given_text_is_drawn_once(image: Image.Image) -> None:
    dog = TextRenderer(fonts=()).render(image, rng(3), text="dog")
    cat = TextRenderer(fonts=()).render(image, rng(3), text="cat")
    assert 0.001 < changed(image, dog) < 0.7
    assert 0 < changed(dog, cat) < changed(image, dog)
    with pytest.raises(UsageError, match="list of words"):
        TextRenderer(words=[])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (1500, 1000)])
def test_text_can_be_drawn_on_images_of_any_size(size: tuple[int, int]) -> None:
    for number in range(6):
        written = TextRenderer(fonts=()).render(Image.new("RGB", size), rng(number))
        assert written.size == size


def test_a_damaged_font_is_skipped(image: Image.Image, tmp_path: Path) -> None:
    broken = tmp_path / "Broken-Regular.ttf"
    broken.write_bytes(b"\0\1\0\0 no font")
    assert not has_glyphs(broken, "abc")
    written = TextRenderer(fonts=[broken]).render(image, rng(0))
    assert changed(image, written) > 0


def test_a_font_may_disappear_while_in_use(image: Image.Image, tmp_path: Path) -> None:
    fonts = [path for path in find_fonts() if has_glyphs(path, "abc")]
    if not fonts:
        pytest.skip("this machine has no fonts")
    copy = Path(shutil.copy(fonts[0], tmp_path / "Going-Regular.ttf"))
    renderer = TextRenderer(fonts=[copy])
    renderer.render(image, rng(0), text="here")
    copy.unlink()
    assert changed(image, renderer.render(image, rng(1), text="there")) > 0
