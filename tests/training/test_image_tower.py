"""The light image tower: shapes, and distillation from the published tower."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.data.dataset import trial_rows  # noqa: E402
from training.data.sources import own_captioned, read_captioned  # noqa: E402
from training.image_tower import train  # noqa: E402
from training.image_tower.build import image_paths  # noqa: E402
from training.image_tower.efficientnet import (  # noqa: E402
    EfficientNetLite,
    SameConv,
    first_convolution,
)
from training.image_tower.light_stem import LightTower, init_light_tower, load_tower  # noqa: E402
from training.image_tower.train import Phase, fit, random_squares, tap_features  # noqa: E402

SIDE = 64
PHASE = Phase("short", 4, 3, SIDE, 40, 80, 2e-3, 0.5, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def published() -> EfficientNetLite:
    torch.manual_seed(0)
    tower = EfficientNetLite("lite0")
    tower.eval().requires_grad_(requires_grad=False)
    return tower


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def untrained(published: EfficientNetLite) -> LightTower:
    torch.manual_seed(1)
    light: LightTower = init_light_tower(published.state_dict())
    return light


def test_taps_have_the_shapes_of_the_published_tower(published: EfficientNetLite) -> None:
    light = untrained(published)
    pixels = torch.randint(256, (2, 3, SIDE, SIDE), dtype=torch.uint8)
    with torch.no_grad():
        mine, right = tap_features(light, pixels, 6), tap_features(published, pixels, 6)
        shapes = [tap.shape for tap in right]
        assert [tap.shape for tap in mine] == shapes
        assert [tap.shape for tap in tap_features(light, pixels, 2)] == shapes[:2]
        for tap, same in zip(tap_features(light, pixels, 2), mine, strict=False):
            torch.testing.assert_close(tap, same)


def test_first_convolution_folds_the_input_scaling() -> None:
    torch.manual_seed(0)
    stem = SameConv(3, 4, 3, 2)
    pixels = torch.randint(256, (2, 3, 9, 10), dtype=torch.uint8)
    with torch.no_grad():
        expected = stem((pixels.float() - 127) / 128)
        torch.testing.assert_close(first_convolution(stem, pixels), expected, rtol=1e-4, atol=1e-4)


def test_random_squares_lie_in_their_image(images: np.ndarray) -> None:
    exact = Phase("crops", 1, 20, 40, 40, 40, 1e-3, 0.0, (1.0, 1.0))
    for square in random_squares(images, exact, np.random.default_rng(3)):
        views = (
            np.lib.stride_tricks.sliding_window_view(way, (40, 40, 3), axis=(0, 1, 2))[
                ..., 0, :, :, :
            ]
            for image in images
            for way in (image, image[:, ::-1])
        )
        assert any((view == square).all(axis=(-3, -2, -1)).any() for view in views)


def test_a_phase_matches_two_taps_or_all() -> None:
    with pytest.raises(ValueError, match="odd: weights for 3 taps, not for 2 or all 6"):
        replace(PHASE, name="odd", weights=(1.0, 1.0, 1.0))


def test_squares_of_any_size_are_resized_to_the_phase(images: np.ndarray) -> None:
    squares = random_squares(images, PHASE, np.random.default_rng(3))
    assert squares.shape == (3, SIDE, SIDE, 3)
    assert squares.dtype == np.uint8
    again = random_squares(images, PHASE, np.random.default_rng(3))
    np.testing.assert_array_equal(squares, again)


def test_a_phase_reduces_the_loss_and_keeps_the_classifier(
    published: EfficientNetLite, images: np.ndarray, tmp_path: Path
) -> None:
    light = untrained(published)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)

    def tap_losses() -> float:
        with torch.no_grad():
            pairs = zip(
                tap_features(light, pixels, 2), tap_features(published, pixels, 2), strict=True
            )
            return float(sum(((a - b) ** 2).mean() for a, b in pairs))

    before = tap_losses()
    longer = Phase("longer", 15, 3, SIDE, SIDE, SIDE, 2e-3, 0.0, (1.0, 2.0))
    later = [weight.clone() for weight in light.later_parameters()]
    fit(light, published, images, longer, cache=tmp_path)
    assert tap_losses() < 0.8 * before
    assert torch.equal(light._fc.weight, published._fc.weight)
    for weight, same in zip(light.later_parameters(), later, strict=True):
        assert torch.equal(weight, same)
    assert not any(weight.requires_grad for weight in light.parameters())


def test_a_phase_for_all_stages_trains_all_but_the_classifier(
    published: EfficientNetLite, images: np.ndarray, tmp_path: Path
) -> None:
    light = untrained(published)
    before = [weight.clone() for weight in (*light.new_parameters(), *light.later_parameters())]
    fit(light, published, images, PHASE, cache=tmp_path)
    moved = zip((*light.new_parameters(), *light.later_parameters()), before, strict=True)
    assert sum(torch.equal(weight, old) for weight, old in moved) < 3
    assert torch.equal(light._fc.weight, published._fc.weight)


def test_an_interrupted_phase_resumes_from_its_checkpoint(
    published: EfficientNetLite,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(train, "WARMUP_STEPS", 1)
    whole, stopped, resumed, other = (untrained(published) for _ in range(4))
    calls, last = 0, 4

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > last:
            raise KeyboardInterrupt
        return random_squares(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "random_squares", counted)
    (tmp_path / "whole").mkdir()
    fit(whole, published, images, PHASE, cache=tmp_path / "whole")
    calls, last = 0, 3
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, published, images, PHASE, cache=tmp_path)
    calls = 0
    fit(resumed, published, images, PHASE, cache=tmp_path)
    assert calls == 2  # the checkpoint had two of four steps

    torch.save(resumed.state_dict(), tmp_path / "tower.pt")
    loaded = load_tower(tmp_path / "tower.pt")
    for weight, right, old in zip(
        loaded.new_parameters(),
        whole.new_parameters(),
        untrained(published).new_parameters(),
        strict=True,
    ):
        far, off = (right - old).abs().max(), (right - weight).abs().max()
        assert off <= 0.05 * far + 1e-6

    calls, last = 0, 5
    fit(other, published, images, replace(PHASE, rate=1e-3, steps=1), cache=tmp_path)
    assert calls == 1  # another phase does not go on from there


def test_initialization_has_the_published_convolution_and_a_zero_residual() -> None:
    torch.manual_seed(2)
    published = EfficientNetLite("lite0").eval()
    norm = published._bn0
    for buffer in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        torch.nn.init.uniform_(buffer, 0.5, 1.5)
    light = init_light_tower(published.state_dict()).light
    pixels = torch.randint(256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    with torch.no_grad():
        right = norm(first_convolution(published._conv_stem, pixels))
        mine = first_convolution(light.first, pixels)
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-4)
        wide = light.project(torch.relu(light.second(mine.clamp(0, 6))).clamp(max=6))
        torch.testing.assert_close(light(pixels), wide)


def test_training_images_contain_no_test_image_of_the_trial(shared_data: Path) -> None:
    flickr, coco = read_captioned(shared_data / "flickr8k"), read_captioned(shared_data / "coco")
    paths = sorted((shared_data / "backgrounds").glob("*.*"))
    others = own_captioned(shared_data, paths)
    _, held = trial_rows(flickr, coco, others)
    held_out = [*(flickr[i] for i in held.flickr), *(coco[i] for i in held.coco)]
    held_out += [others[i] for i in held.backgrounds]
    trained = image_paths(shared_data)
    assert len(trained) == len(set(trained)) > 7000
    assert not {row.path for row in held_out} & set(trained)
    assert not [path for path in trained if path.is_relative_to(shared_data / "objects")]
