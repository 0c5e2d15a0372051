"""The light image tower: its shape, and how it learns from the published one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.data.dataset import trial_rows  # noqa: E402
from training.data.sources import captioned, described  # noqa: E402
from training.image_tower import train  # noqa: E402
from training.image_tower.build import photographs  # noqa: E402
from training.image_tower.efficientnet import (  # noqa: E402
    EfficientNetLite,
    SameConv,
    first_convolution,
)
from training.image_tower.light_stem import LightTower, begin, load_tower  # noqa: E402
from training.image_tower.train import Lesson, cut, fit, look  # noqa: E402

SIDE = 64
LESSON = Lesson("short", 4, 3, SIDE, 40, 80, 2e-3, 0.5, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def published() -> EfficientNetLite:
    torch.manual_seed(0)
    tower = EfficientNetLite("lite0")
    tower.eval().requires_grad_(requires_grad=False)
    return tower


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def untaught(published: EfficientNetLite) -> LightTower:
    torch.manual_seed(1)
    light: LightTower = begin(published.state_dict())
    return light


def test_it_leaves_taps_like_those_of_the_published_one(published: EfficientNetLite) -> None:
    light = untaught(published)
    pixels = torch.randint(256, (2, 3, SIDE, SIDE), dtype=torch.uint8)
    with torch.no_grad():
        mine, right = look(light, pixels, 6), look(published, pixels, 6)
        shapes = [tap.shape for tap in right]
        assert [tap.shape for tap in mine] == shapes
        assert [tap.shape for tap in look(light, pixels, 2)] == shapes[:2]
        for tap, same in zip(look(light, pixels, 2), mine, strict=False):
            torch.testing.assert_close(tap, same)


def test_its_first_convolution_takes_bytes_as_the_weights_want_them() -> None:
    torch.manual_seed(0)
    stem = SameConv(3, 4, 3, 2)
    pixels = torch.randint(256, (2, 3, 9, 10), dtype=torch.uint8)
    with torch.no_grad():
        expected = stem((pixels.float() - 127) / 128)
        torch.testing.assert_close(first_convolution(stem, pixels), expected, rtol=1e-4, atol=1e-4)


def test_squares_lie_in_their_picture(pictures: np.ndarray) -> None:
    exact = Lesson("crops", 1, 20, 40, 40, 40, 1e-3, 0.0, (1.0, 1.0))
    for square in cut(pictures, exact, np.random.default_rng(3)):
        views = (
            np.lib.stride_tricks.sliding_window_view(way, (40, 40, 3), axis=(0, 1, 2))[
                ..., 0, :, :, :
            ]
            for picture in pictures
            for way in (picture, picture[:, ::-1])
        )
        assert any((view == square).all(axis=(-3, -2, -1)).any() for view in views)


def test_a_lesson_is_for_two_taps_or_for_all() -> None:
    with pytest.raises(ValueError, match="odd: weights for 3 taps, not for 2 or all 6"):
        replace(LESSON, name="odd", weights=(1.0, 1.0, 1.0))


def test_squares_of_any_size_are_shown_alike(pictures: np.ndarray) -> None:
    squares = cut(pictures, LESSON, np.random.default_rng(3))
    assert squares.shape == (3, SIDE, SIDE, 3)
    assert squares.dtype == np.uint8
    again = cut(pictures, LESSON, np.random.default_rng(3))
    np.testing.assert_array_equal(squares, again)


def test_a_lesson_brings_it_nearer_and_leaves_the_classes_alone(
    published: EfficientNetLite, pictures: np.ndarray, tmp_path: Path
) -> None:
    light = untaught(published)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)

    def apart() -> float:
        with torch.no_grad():
            pairs = zip(look(light, pixels, 2), look(published, pixels, 2), strict=True)
            return float(sum(((a - b) ** 2).mean() for a, b in pairs))

    before = apart()
    longer = Lesson("longer", 15, 3, SIDE, SIDE, SIDE, 2e-3, 0.0, (1.0, 2.0))
    later = [weight.clone() for weight in light.later()]
    fit(light, published, pictures, longer, cache=tmp_path)
    assert apart() < 0.8 * before
    assert torch.equal(light._fc.weight, published._fc.weight)
    for weight, same in zip(light.later(), later, strict=True):
        assert torch.equal(weight, same)
    assert not any(weight.requires_grad for weight in light.parameters())


def test_a_lesson_for_all_stages_moves_all_but_the_classes(
    published: EfficientNetLite, pictures: np.ndarray, tmp_path: Path
) -> None:
    light = untaught(published)
    before = [weight.clone() for weight in (*light.new(), *light.later())]
    fit(light, published, pictures, LESSON, cache=tmp_path)
    moved = zip((*light.new(), *light.later()), before, strict=True)
    assert sum(torch.equal(weight, old) for weight, old in moved) < 3
    assert torch.equal(light._fc.weight, published._fc.weight)


def test_a_lesson_that_was_stopped_goes_on_where_it_was(
    published: EfficientNetLite,
    pictures: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "SAVED", 2)
    monkeypatch.setattr(train, "WARMING", 1)
    whole, stopped, resumed, other = (untaught(published) for _ in range(4))
    calls, last = 0, 4

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > last:
            raise KeyboardInterrupt
        return cut(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "cut", counted)
    (tmp_path / "whole").mkdir()
    fit(whole, published, pictures, LESSON, cache=tmp_path / "whole")
    calls, last = 0, 3
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, published, pictures, LESSON, cache=tmp_path)
    calls = 0
    fit(resumed, published, pictures, LESSON, cache=tmp_path)
    assert calls == 2  # the checkpoint had two of four steps

    torch.save(resumed.state_dict(), tmp_path / "tower.pt")
    loaded = load_tower(tmp_path / "tower.pt")
    for weight, right, old in zip(
        loaded.new(), whole.new(), untaught(published).new(), strict=True
    ):
        far, off = (right - old).abs().max(), (right - weight).abs().max()
        assert off <= 0.05 * far + 1e-6

    calls, last = 0, 5
    fit(other, published, pictures, replace(LESSON, rate=1e-3, steps=1), cache=tmp_path)
    assert calls == 1  # another lesson does not go on from there


def test_it_begins_with_the_published_convolution_and_a_silent_residual() -> None:
    torch.manual_seed(2)
    published = EfficientNetLite("lite0").eval()
    norm = published._bn0
    for buffer in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        torch.nn.init.uniform_(buffer, 0.5, 1.5)
    light = begin(published.state_dict()).light
    pixels = torch.randint(256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    with torch.no_grad():
        right = norm(first_convolution(published._conv_stem, pixels))
        mine = first_convolution(light.first, pixels)
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-4)
        wide = light.project(torch.relu(light.second(mine.clamp(0, 6))).clamp(max=6))
        torch.testing.assert_close(light(pixels), wide)


def test_it_learns_from_no_photograph_that_the_trial_is_measured_on(shared_data: Path) -> None:
    flickr, coco = captioned(shared_data / "flickr8k"), captioned(shared_data / "coco")
    paths = sorted((shared_data / "backgrounds").glob("*.*"))
    others = described(shared_data, paths)
    _, held = trial_rows(flickr, coco, others)
    kept = [*(flickr[i] for i in held.flickr), *(coco[i] for i in held.coco)]
    kept += [others[i] for i in held.backgrounds]
    learnt = photographs(shared_data)
    assert len(learnt) == len(set(learnt)) > 7000
    assert not {row.path for row in kept} & set(learnt)
    assert not [path for path in learnt if path.is_relative_to(shared_data / "objects")]
