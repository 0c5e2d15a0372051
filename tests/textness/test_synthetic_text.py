"""Text drawn onto pictures."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from clipsearch.errors import UsageError
from clipsearch.textness import TextRenderer, draw_background, find_fonts
from clipsearch.textness.fonts import font_family, has_glyphs
from clipsearch.textness.vocabulary import ENGLISH, OTHER_SCRIPTS, random_text


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def changed(before: Image.Image, after: Image.Image) -> float:
    """The share of pixels that differ."""
    difference = np.asarray(ImageChops.difference(before, after)).max(axis=2)
    return float((difference > 8).mean())


@pytest.fixture
def picture() -> Image.Image:
    return draw_background(rng(1))


def test_nothing_is_drawn_outside_of_a_box(picture: Image.Image) -> None:
    box = (40, 30, 200, 150)
    for number in range(40):
        written = TextRenderer(fonts=()).render(picture, rng(number), within=box)
        bounds = ImageChops.difference(picture, written).getbbox()
        assert bounds is not None
        assert all(np.array(bounds[:2]) >= box[:2])
        assert all(np.array(bounds[2:]) <= box[2:])


def test_every_picture_gets_text_and_keeps_its_size(picture: Image.Image) -> None:
    renderer = TextRenderer(fonts=())
    before = picture.copy()
    shares = []
    for number in range(40):
        written = renderer.render(picture, rng(number))
        assert (written.mode, written.size) == ("RGB", picture.size)
        shares.append(changed(picture, written))
    assert picture == before
    assert min(shares) > 0.001
    assert min(shares) < 0.05 < 0.5 < max(shares)  # from a date in a corner to a page


def test_the_same_generator_writes_the_same(picture: Image.Image) -> None:
    first, again = (TextRenderer(fonts=()).render(picture, rng(3)) for _ in range(2))
    assert first == again
    assert first != TextRenderer(fonts=()).render(picture, rng(4))
    assert draw_background(rng(5)) == draw_background(rng(5))


def test_the_words_that_were_given_are_written_once(picture: Image.Image) -> None:
    dog = TextRenderer(fonts=()).render(picture, rng(3), text="dog")
    cat = TextRenderer(fonts=()).render(picture, rng(3), text="cat")
    assert 0.001 < changed(picture, dog) < 0.7
    assert 0 < changed(dog, cat) < changed(picture, dog)
    with pytest.raises(UsageError, match="list of words"):
        TextRenderer(words=[])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (1500, 1000)])
def test_pictures_of_any_size_can_be_written_on(size: tuple[int, int]) -> None:
    for number in range(6):
        written = TextRenderer(fonts=()).render(Image.new("RGB", size), rng(number))
        assert written.size == size


def test_fonts_are_found_in_the_users_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    assert find_fonts() == ()
    for name in ("share/fonts/deep/B.ttf", "own/fonts/A.otf", ".fonts/C.TTC"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("share/fonts/NotoColorEmoji.ttf", "share/fonts/readme.txt"):
        (tmp_path / name).touch()
    assert {path.name for path in find_fonts()} == {"A.otf", "B.ttf", "C.TTC"}


def test_a_broken_font_is_passed_over(picture: Image.Image, tmp_path: Path) -> None:
    broken = tmp_path / "Broken-Regular.ttf"
    broken.write_bytes(b"\0\1\0\0 no font")
    assert not has_glyphs(broken, "abc")
    written = TextRenderer(fonts=[broken]).render(picture, rng(0))
    assert changed(picture, written) > 0


def test_a_font_that_goes_away_does_no_harm(picture: Image.Image, tmp_path: Path) -> None:
    fonts = [path for path in find_fonts() if has_glyphs(path, "abc")]
    if not fonts:
        pytest.skip("this machine has no fonts")
    copy = Path(shutil.copy(fonts[0], tmp_path / "Going-Regular.ttf"))
    renderer = TextRenderer(fonts=[copy])
    renderer.render(picture, rng(0), text="here")
    copy.unlink()
    assert changed(picture, renderer.render(picture, rng(1), text="there")) > 0


def test_weights_and_slants_are_one_family() -> None:
    names = ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf", "Inter[wght].ttf", "Noto Sans.ttc")
    families = [font_family(Path(name)) for name in names]
    assert families[0] == families[1]
    assert len(set(families)) == 3


def test_the_built_in_face_has_english_letters_and_no_others() -> None:
    assert has_glyphs(None, "Gate 7: $12.50")
    assert not has_glyphs(None, "東京")


def test_texts_vary() -> None:
    generator = rng(0)
    texts = {" ".join(random_text(generator, ENGLISH, 2)) for _ in range(500)}
    assert len(texts) > 490
    assert any(any(letter.isdigit() for letter in text) for text in texts)
    assert any(text.isupper() for text in texts)
    assert all(len(words) >= 8 for words in OTHER_SCRIPTS)
