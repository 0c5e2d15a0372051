"""Canvases in shards, with the image tower's features; computed once and cached on disk."""
# mypy: allow-subclassing-any

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from clipsearch.models.openvino_runtime import Graph
from clipsearch.types import Pixels
from training.image_tower.efficientnet import EfficientNetLite
from training.packing.export import image_graph, save_graph
from training.reading.canvas import GRID, Canvas, CanvasFactory
from training.reading.model import TAPS

SHARD = 4000  # canvases per file
TOWER_BATCH = 64
SIZES = ((56, 56, TAPS[0]), (GRID, GRID, TAPS[1]))  # of an image's taps, channels last
SPLIT = SIZES[0][0] * SIZES[0][1] * SIZES[0][2]


@dataclass(frozen=True, slots=True)
class Batch:
    """Taps (n, 24, 56, 56) and (n, 40, 28, 28), cells (n, 4, 28, 28) int64 and words of each."""

    second: Tensor
    third: Tensor
    cells: Tensor
    words: list[list[str]]

    def to(self, device: str) -> "Batch":
        """Move to `device`, in bfloat16."""
        second, third = (x.to(device, torch.bfloat16) for x in (self.second, self.third))
        return Batch(second, third, self.cells.to(device), self.words)


@dataclass(frozen=True, slots=True)
class Shard:
    """Canvases on disk: taps (n, 106624) float16, cells, words."""

    taps: NDArray[np.float16]
    cells: NDArray[np.int8]
    words: list[list[str]]

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Load some rows."""
        rows = np.sort(rows)
        second, third = split(self.taps[rows])
        cells = torch.from_numpy(self.cells[rows]).long()
        return Batch(second, third, cells, [self.words[row] for row in rows])


def split(rows: NDArray[np.float16]) -> tuple[Tensor, Tensor]:
    """Split rows of `LowerTower` into taps (n, 24, 56, 56) and (n, 40, 28, 28) float16."""
    parts = torch.from_numpy(rows).split([SPLIT, rows.shape[1] - SPLIT], 1)
    second, third = (
        part.unflatten(1, size).permute(0, 3, 1, 2) for part, size in zip(parts, SIZES, strict=True)
    )
    return second, third


class _Low(nn.Module):
    """uint8 (n, 224, 224, 3) → the second and the third tap, one row per image."""

    def __init__(self, tower: EfficientNetLite) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        taps = self.tower(pixels.permute(0, 3, 1, 2))
        rows = [tap.permute(0, 2, 3, 1).flatten(1) for tap in (taps.second, taps.third)]
        return torch.cat(rows, 1)


class LowerTower:
    """The lower image tower in the processor's fast precision: pixels → (n, 106624)."""

    def __init__(self, tower: EfficientNetLite, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / "low.xml"
        save_graph(image_graph(_Low(tower)), path, half=False)
        self._graph = Graph(path, bf16=True, chunk=2)

    def __call__(self, pixels: Pixels) -> NDArray[np.float16]:
        """Return the taps of (n, 224, 224, 3) uint8, float16."""
        return np.asarray(self._graph(pixels), np.float16)


def make_shards(
    count: int, factory: CanvasFactory, tower: LowerTower, cache: Path, *, seed: int
) -> list[Shard]:
    """Draw `count` canvases, or load those of an earlier run; the last shard may be smaller."""
    sizes = [min(SHARD, count - start) for start in range(0, count, SHARD)]
    return [
        _shard(cache / f"written-{seed}-{number}-{size}", (seed, number), size, factory, tower)
        for number, size in enumerate(sizes)
    ]


def batches(shards: list[Shard], size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield all canvases once, in random order; a batch comes from one shard."""
    parts = []
    for number, shard in enumerate(shards):
        order = rng.permutation(len(shard.words))
        parts += [(number, order[i : i + size]) for i in range(0, len(order) - size + 1, size)]
    for index in rng.permutation(len(parts)):
        number, rows = parts[index]
        yield shards[number].batch(rows)


def _draw(factory: CanvasFactory, seed: tuple[int, int], row: int) -> Canvas:
    return factory.canvas(np.random.default_rng([*seed, row]))


def _shard(
    stem: Path, seed: tuple[int, int], size: int, factory: CanvasFactory, tower: LowerTower
) -> Shard:
    features, cells, words = (stem.with_suffix(end) for end in (".npy", ".cells.npy", ".json"))
    if not words.exists():  # written last
        rows = open_memmap(features, "w+", np.float16, (size, SPLIT + int(np.prod(SIZES[1]))))
        targets, canvas_words = np.empty((size, 4, GRID, GRID), np.int8), []
        waiting: list[Pixels] = []
        with ProcessPoolExecutor() as pool:
            drawn = pool.map(partial(_draw, factory, seed), range(size), chunksize=50)
            for row, canvas in enumerate(tqdm(drawn, stem.name, size, unit="canvas")):
                waiting.append(canvas.pixels)
                targets[row] = canvas.cells
                canvas_words.append(canvas.words)
                if len(waiting) == TOWER_BATCH or row == size - 1:
                    rows[row + 1 - len(waiting) : row + 1] = tower(
                        np.stack(waiting).astype(np.uint8, copy=False)
                    )
                    waiting.clear()
        np.save(cells, targets)
        words.write_text(json.dumps(canvas_words), "utf-8")
    loaded: list[list[str]] = json.loads(words.read_text("utf-8"))
    return Shard(np.load(features, mmap_mode="r"), np.load(cells), loaded)
