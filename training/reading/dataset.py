"""Canvases by the thousand, as the image tower sees them; made once and kept in a cache folder."""
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
from training.reading.canvas import GRID, Canvas, Studio
from training.reading.model import TAPS

SHARD = 4000  # canvases in a file
SEEN_AT_ONCE = 64
SIZES = ((56, 56, TAPS[0]), (GRID, GRID, TAPS[1]))  # of a picture's taps, channels last
SPLIT = SIZES[0][0] * SIZES[0][1] * SIZES[0][2]


@dataclass(frozen=True, slots=True)
class Batch:
    """Taps (n, 24, 56, 56) and (n, 40, 28, 28), cells (n, 4, 28, 28) int64 and words of each."""

    second: Tensor
    third: Tensor
    cells: Tensor
    words: list[list[str]]

    def to(self, device: str) -> "Batch":
        """Move to `device`, in the precision of training."""
        second, third = (x.to(device, torch.bfloat16) for x in (self.second, self.third))
        return Batch(second, third, self.cells.to(device), self.words)


@dataclass(frozen=True, slots=True)
class Shard:
    """Some thousand canvases on the disk, half precision: taps (n, 106624), cells, words."""

    taps: NDArray[np.float16]
    cells: NDArray[np.int8]
    words: list[list[str]]

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Read some rows."""
        rows = np.sort(rows)
        second, third = split(self.taps[rows])
        cells = torch.from_numpy(self.cells[rows]).long()
        return Batch(second, third, cells, [self.words[row] for row in rows])


def split(rows: NDArray[np.float16]) -> tuple[Tensor, Tensor]:
    """Rows of `Taps` as a tower gives them: (n, 24, 56, 56) and (n, 40, 28, 28) float16."""
    parts = torch.from_numpy(rows).split([SPLIT, rows.shape[1] - SPLIT], 1)
    second, third = (
        part.unflatten(1, size).permute(0, 3, 1, 2) for part, size in zip(parts, SIZES, strict=True)
    )
    return second, third


class _Low(nn.Module):
    """uint8 (n, 224, 224, 3) → the second and the third tap, as one row a picture."""

    def __init__(self, tower: EfficientNetLite) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        taps = self.tower(pixels.permute(0, 3, 1, 2))
        rows = [tap.permute(0, 2, 3, 1).flatten(1) for tap in (taps.second, taps.third)]
        return torch.cat(rows, 1)


class Taps:
    """The lower tower as it ships, in the processor's fast precision: pixels → (n, 106624)."""

    def __init__(self, tower: EfficientNetLite, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / "low.xml"
        save_graph(image_graph(_Low(tower)), path, half=False)
        self._graph = Graph(path, fast=True, chunk=2)

    def __call__(self, pixels: Pixels) -> NDArray[np.float16]:
        """See (n, 224, 224, 3) uint8."""
        return np.asarray(self._graph(pixels), np.float16)


def shards(count: int, studio: Studio, taps: Taps, cache: Path, *, seed: int) -> list[Shard]:
    """Make, or read what an earlier run made of, `count` canvases; the last shard may be small."""
    sizes = [min(SHARD, count - start) for start in range(0, count, SHARD)]
    return [
        _shard(cache / f"written-{seed}-{number}-{size}", (seed, number), size, studio, taps)
        for number, size in enumerate(sizes)
    ]


def batches(made: list[Shard], size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Deal out all canvases once, at random; a batch comes from one shard."""
    hands = []
    for number, shard in enumerate(made):
        order = rng.permutation(len(shard.words))
        hands += [(number, order[i : i + size]) for i in range(0, len(order) - size + 1, size)]
    for turn in rng.permutation(len(hands)):
        number, rows = hands[turn]
        yield made[number].batch(rows)


def _draw(studio: Studio, seed: tuple[int, int], row: int) -> Canvas:
    return studio.canvas(np.random.default_rng([*seed, row]))


def _shard(stem: Path, seed: tuple[int, int], size: int, studio: Studio, taps: Taps) -> Shard:
    seen, cells, words = (stem.with_suffix(end) for end in (".npy", ".cells.npy", ".json"))
    if not words.exists():  # written last
        rows = open_memmap(seen, "w+", np.float16, (size, SPLIT + int(np.prod(SIZES[1]))))
        targets, said = np.empty((size, 4, GRID, GRID), np.int8), []
        waiting: list[Pixels] = []
        with ProcessPoolExecutor() as pool:
            drawn = pool.map(partial(_draw, studio, seed), range(size), chunksize=50)
            for row, canvas in enumerate(tqdm(drawn, stem.name, size, unit="canvas")):
                waiting.append(canvas.pixels)
                targets[row] = canvas.cells
                said.append(canvas.words)
                if len(waiting) == SEEN_AT_ONCE or row == size - 1:
                    rows[row + 1 - len(waiting) : row + 1] = taps(
                        np.stack(waiting).astype(np.uint8, copy=False)
                    )
                    waiting.clear()
        np.save(cells, targets)
        words.write_text(json.dumps(said), "utf-8")
    taken: list[list[str]] = json.loads(words.read_text("utf-8"))
    return Shard(np.load(seen, mmap_mode="r"), np.load(cells), taken)
