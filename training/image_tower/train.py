"""Teaching the light tower to leave what the published one leaves at every tap.

Hinton et al. 2015 ("Distilling the knowledge in a neural network"), with features instead of
probabilities, as in Romero et al. 2015 ("FitNets"): no labels, any photographs will do.
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

DECAY, WARMING = 1e-4, 50
SHOWN = 64  # pictures from which the spread of every tap is taken
SAVED = 200  # steps from one checkpoint to the next


@dataclass(frozen=True, slots=True)
class Lesson:
    """One round: on squares of `least` to `most` pixels, shown as `side`, matching two taps or all.

    `weights` has a number for the second and the third tap, or for those, the three others and the
    pooled features. `later` is the rate of the stages after the third as a share of `rate`; 0 leaves
    them as they are.
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


LESSONS = (
    # What is new first, on crops, where a step is cheap; then all of it, for all taps.
    Lesson("low", 8000, 32, 128, 128, 128, 2e-3, 0.0, (1.0, 2.0)),
    # Of squares that may be larger than the picture about half are the picture.
    Lesson("whole", 2400, 16, 224, 144, 304, 6e-4, 0.2, (0.5, 1.0, 1.0, 1.0, 1.0, 3.0)),
)


def look(tower: EfficientNetLite, pixels: Tensor, count: int) -> list[Tensor]:
    """uint8 (n, 3, side, side) → the first `count` taps; the pooled features follow the last."""
    second = tower.early(pixels)
    if count == 2:
        return [second, tower.middle(second)]
    taps = tower.onwards(second)
    return [*taps, tower.classify(taps.seventh)[0]]


class _Looking(nn.Module):
    """uint8 (n, side, side, 3) → what `look` gives, as one row a picture."""

    def __init__(self, tower: EfficientNetLite, count: int) -> None:
        super().__init__()
        self.tower, self.count = tower, count

    def forward(self, pixels: Tensor) -> Tensor:
        seen = look(self.tower, pixels.permute(0, 3, 1, 2), self.count)
        return torch.cat([tap.flatten(1) for tap in seen], 1)


class Teacher:
    """What the published tower sees, on the runtime that is quickest on a CPU."""

    def __init__(self, tower: EfficientNetLite, lesson: Lesson, cache: Path) -> None:
        path, count = cache / f"teacher-{lesson.name}.xml", len(lesson.weights)
        save_graph(image_graph(_Looking(tower, count), side=lesson.side), path, half=False)
        self._graph = Graph(path, chunk=4)
        with torch.no_grad():
            empty = look(tower, torch.zeros(1, 3, lesson.side, lesson.side).byte(), count)
        self._shapes = [tuple(tap.shape[1:]) for tap in empty]

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Tensor]:
        """Taps of (n, side, side, 3) uint8."""
        rows = torch.from_numpy(self._graph(pixels))
        parts = rows.split([math.prod(shape) for shape in self._shapes], 1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self._shapes, strict=True)]


def fit(
    light: LightTower,
    tower: EfficientNetLite,
    pictures: NDArray[np.uint8],
    lesson: Lesson,
    *,
    cache: Path,
    seed: int = 0,
) -> None:
    """Train `light` in place on squares of `pictures` (n, side, side, 3); resume from the cache.

    A checkpoint of another lesson, another beginning or other pictures is ignored.
    """
    teacher = Teacher(tower, lesson, cache)
    spreads = _spreads(tower, pictures[:SHOWN], len(lesson.weights))
    key = {
        **asdict(lesson),
        "seed": seed,
        "begun": digest(light.state_dict().values()),
        "shown": _shown(pictures),
    }
    light.to(memory_format=torch.channels_last)
    groups = [(light.new(), 1.0), (light.later(), lesson.later)]
    live = [(weights, share) for weights, share in groups if share]
    learning = [weight for weights, _ in live for weight in weights]
    for weight in learning:
        weight.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(
        [{"params": weights} for weights, _ in live], weight_decay=DECAY, betas=(0.9, 0.98)
    )
    checkpoint = cache / f"tower-{lesson.name}-{seed}.pt"
    first = _restore(checkpoint, key, light, optimizer)
    with tqdm(total=lesson.steps, initial=first, unit="step", desc=lesson.name) as bar:
        for step in range(first, lesson.steps):
            rate = lesson.rate * min(1.0, (step + 1) / WARMING) * _cosine(step / lesson.steps)
            for group, (_, share) in zip(optimizer.param_groups, live, strict=True):
                group["lr"] = share * rate
            squares = cut(pictures, lesson, np.random.default_rng([seed, step]))
            wrong = apart(light, squares, teacher(squares), spreads)
            optimizer.zero_grad()
            (wrong * torch.tensor(lesson.weights)).sum().backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            bar.set_postfix(wrong=" ".join(f"{part:.3f}" for part in wrong.tolist()))
            bar.update()
            if (step + 1) % SAVED == 0 or step + 1 == lesson.steps:
                state = {"tower": light.state_dict(), "optimizer": optimizer.state_dict()}
                save(checkpoint, {"key": key, "step": step + 1, **state})
    light.requires_grad_(requires_grad=False)


def apart(
    light: LightTower,
    squares: NDArray[np.uint8],
    taps: Sequence[Tensor],
    spreads: Sequence[Tensor],
) -> Tensor:
    """How far the tower's taps are from those given, (taps,): mean squares, in spreads."""
    with torch.autocast("cpu", torch.bfloat16):
        found = look(light, torch.from_numpy(squares).permute(0, 3, 1, 2), len(taps))
    return torch.stack(
        [
            (((mine.float() - right) / spread) ** 2).mean()
            for mine, right, spread in zip(found, taps, spreads, strict=True)
        ]
    )


def cut(pictures: NDArray[np.uint8], lesson: Lesson, draw: Generator) -> NDArray[np.uint8]:
    """A batch of squares (batch, side, side, 3) of any place and size, half of them mirrored."""
    squares, whole = [], pictures.shape[1]
    for number in draw.integers(len(pictures), size=lesson.batch):
        size = min(whole, int(draw.integers(lesson.least, lesson.most + 1)))
        top, left = draw.integers(0, whole - size + 1, 2)
        square = pictures[number, top : top + size, left : left + size]
        if size != lesson.side:
            larger = Image.fromarray(square).resize((lesson.side, lesson.side))
            square = np.asarray(larger, dtype=np.uint8)
        squares.append(square[:, ::-1] if draw.random() < 0.5 else square)
    return np.stack(squares)


@torch.no_grad()
def _spreads(tower: EfficientNetLite, pictures: NDArray[np.uint8], count: int) -> list[Tensor]:
    seen = look(tower, torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2), count)
    # The small number: some channels of the later taps are almost always the same.
    return [tap.std([0, *range(2, tap.ndim)], keepdim=True) + 0.01 for tap in seen]


def _shown(pictures: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pictures[:, ::16, ::16]).tobytes()).hexdigest()


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
