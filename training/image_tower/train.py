"""Train the light tower to match the published one at every tap.

Hinton et al. 2015 ("Distilling the knowledge in a neural network"), with features instead of
probabilities, as in Romero et al. 2015 ("FitNets"). It needs no labels.
"""
# mypy: allow-subclassing-any, allow-untyped-decorators

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from clipsearch.models.openvino_runtime import Graph
from training.checkpoint import digest, save
from training.image_tower.efficientnet import EfficientNetLite
from training.image_tower.light_stem import LightTower
from training.packing.export import image_graph, save_graph
from training.precision import fast_products

DECAY, WARMUP_STEPS = 1e-4, 50
SPREAD_IMAGES = 64  # images for the standard deviation of every tap
CHECKPOINT_STEPS = 200  # steps between checkpoints


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: squares of `least` to `most` pixels, resized to `side`, matching two taps or all.

    `weights` are those of the second and third tap, or of these, the three others and the pooled
    features. `later` is the learning rate of the stages after the third as a share of `rate`; 0
    freezes them.
    """

    name: str
    steps: int
    batch: int
    side: int
    least: int
    most: int
    rate: float
    later: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) not in (2, 6):
            raise ValueError(
                f"{self.name}: weights for {len(self.weights)} taps, not for 2 or all 6"
            )


PHASES = (
    # First the new parameters, on crops, where a step is cheap; then all of them, for all taps.
    Phase("low", 8000, 32, 128, 128, 128, 2e-3, 0.0, (1.0, 2.0)),
    # About half of the squares are the whole image, since sizes above it are cut to it.
    Phase("whole", 2400, 16, 224, 144, 304, 6e-4, 0.2, (0.5, 1.0, 1.0, 1.0, 1.0, 3.0)),
)


def tap_features(tower: EfficientNetLite, pixels: Tensor, count: int) -> list[Tensor]:
    """uint8 (n, 3, side, side) → the first `count` taps; the pooled features follow the last."""
    second = tower.second_tap(pixels)
    if count == 2:
        return [second, tower.third_tap(second)]
    taps = tower.later_taps(second)
    return [*taps, tower.classify(taps.seventh)[0]]


class _TapFeatures(nn.Module):
    """uint8 (n, side, side, 3) → the output of `tap_features`, one row per image."""

    def __init__(self, tower: EfficientNetLite, count: int) -> None:
        super().__init__()
        self.tower, self.count = tower, count

    def forward(self, pixels: Tensor) -> Tensor:
        taps = tap_features(self.tower, pixels.permute(0, 3, 1, 2), self.count)
        return torch.cat([tap.flatten(1) for tap in taps], 1)


class Teacher:
    """Taps of the published tower, computed with OpenVINO."""

    def __init__(self, tower: EfficientNetLite, phase: Phase, cache: Path) -> None:
        path, count = cache / f"teacher-{phase.name}.xml", len(phase.weights)
        save_graph(image_graph(_TapFeatures(tower, count), side=phase.side), path, half=False)
        self._graph = Graph(path, chunk=4)
        with torch.no_grad():
            empty = tap_features(tower, torch.zeros(1, 3, phase.side, phase.side).byte(), count)
        self._shapes = [tuple(tap.shape[1:]) for tap in empty]

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Tensor]:
        """Return the taps of (n, side, side, 3) uint8."""
        rows = torch.from_numpy(self._graph(pixels))
        parts = rows.split([math.prod(shape) for shape in self._shapes], 1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self._shapes, strict=True)]


def fit(
    light: LightTower,
    tower: EfficientNetLite,
    images: NDArray[np.uint8],
    phase: Phase,
    *,
    cache: Path,
    seed: int = 0,
) -> None:
    """Train `light` in place on squares of `images` (n, side, side, 3); resume from the cache.

    A checkpoint of another phase, initialization or set of images is ignored.
    """
    teacher = Teacher(tower, phase, cache)
    spreads = _spreads(tower, images[:SPREAD_IMAGES], len(phase.weights))
    key = {
        **asdict(phase),
        "seed": seed,
        "init": digest(light.state_dict().values()),
        "images": _image_hash(images),
    }
    light.to(memory_format=torch.channels_last)
    groups = [(light.new_parameters(), 1.0), (light.later_parameters(), phase.later)]
    live = [(weights, share) for weights, share in groups if share]
    learning = [weight for weights, _ in live for weight in weights]
    for weight in learning:
        weight.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(
        [{"params": weights} for weights, _ in live], weight_decay=DECAY, betas=(0.9, 0.98)
    )
    checkpoint = cache / f"tower-{phase.name}-{seed}.pt"
    first = _restore(checkpoint, key, light, optimizer)
    with tqdm(total=phase.steps, initial=first, unit="step", desc=phase.name) as bar:
        for step in range(first, phase.steps):
            rate = phase.rate * min(1.0, (step + 1) / WARMUP_STEPS) * _cosine(step / phase.steps)
            for group, (_, share) in zip(optimizer.param_groups, live, strict=True):
                group["lr"] = share * rate
            squares = random_squares(images, phase, np.random.default_rng([seed, step]))
            losses = tap_losses(light, squares, teacher(squares), spreads)
            optimizer.zero_grad()
            (losses * torch.tensor(phase.weights)).sum().backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            bar.set_postfix(loss=" ".join(f"{part:.3f}" for part in losses.tolist()))
            bar.update()
            if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == phase.steps:
                state = {"tower": light.state_dict(), "optimizer": optimizer.state_dict()}
                save(checkpoint, {"key": key, "step": step + 1, **state})
    light.requires_grad_(requires_grad=False)


def tap_losses(
    light: LightTower,
    squares: NDArray[np.uint8],
    taps: Sequence[Tensor],
    spreads: Sequence[Tensor],
) -> Tensor:
    """Return the mean squared error of each tap, (taps,), in units of its standard deviation."""
    with fast_products("cpu"):
        found = tap_features(light, torch.from_numpy(squares).permute(0, 3, 1, 2), len(taps))
    return torch.stack(
        [
            (((mine.float() - right) / spread) ** 2).mean()
            for mine, right, spread in zip(found, taps, spreads, strict=True)
        ]
    )


def random_squares(images: NDArray[np.uint8], phase: Phase, draw: Generator) -> NDArray[np.uint8]:
    """Cut a batch of random squares (batch, side, side, 3), half of them mirrored."""
    squares, whole = [], images.shape[1]
    for number in draw.integers(len(images), size=phase.batch):
        size = min(whole, int(draw.integers(phase.least, phase.most + 1)))
        top, left = draw.integers(0, whole - size + 1, 2)
        square = images[number, top : top + size, left : left + size]
        if size != phase.side:
            larger = Image.fromarray(square).resize((phase.side, phase.side))
            square = np.asarray(larger, dtype=np.uint8)
        squares.append(square[:, ::-1] if draw.random() < 0.5 else square)
    return np.stack(squares)


@torch.no_grad()
def _spreads(tower: EfficientNetLite, images: NDArray[np.uint8], count: int) -> list[Tensor]:
    taps = tap_features(tower, torch.from_numpy(images.copy()).permute(0, 3, 1, 2), count)
    # 0.01, since some channels of the later taps are almost constant.
    return [tap.std([0, *range(2, tap.ndim)], keepdim=True) + 0.01 for tap in taps]


def _image_hash(images: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(images[:, ::16, ::16]).tobytes()).hexdigest()


def _restore(
    path: Path, key: dict[str, Any], light: LightTower, optimizer: torch.optim.Optimizer
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["key"] != key:
        return 0
    light.load_state_dict(state["tower"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done)) + 0.005
