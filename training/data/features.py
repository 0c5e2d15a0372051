"""Outputs of both towers for images and texts, computed once and cached on disk."""
# mypy: allow-subclassing-any

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from clipsearch.images.decode import decode
from clipsearch.models.openvino_runtime import Graph
from clipsearch.types import Vectors
from training.checkpoint import digest
from training.data.views import DESCRIPTION, VIEWS, views
from training.heads.model import PLACES, place_features
from training.image_tower.efficientnet import HEAD, EfficientNetLite
from training.packing.export import image_graph, load_tokenizer, save_graph, text_graph
from training.text_tower.minilm import MiniLM

BATCH = 32
SENTENCE_BATCH = 64


class _AllFeatures(nn.Module):
    """uint8 (n, 224, 224, 3) → all inputs of the heads, one row per image."""

    def __init__(self, tower: EfficientNetLite) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        places, pooled, _ = place_features(self.tower, pixels)
        return torch.cat([places.flatten(1), pooled], 1)


class ImageFeatures:
    """Features of n images in VIEWS views, float16, memory-mapped from disk."""

    def __init__(self, rows: NDArray[np.float16]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, image: int, view: int) -> tuple[Tensor, Tensor]:
        """Return places (49, channels) float16 and pooled (1280,) of one image in one view."""
        row = torch.from_numpy(self._rows[image, view])
        return row[:-HEAD].unflatten(0, (PLACES, -1)), row[-HEAD:].float()

    def rows(self, images: Sequence[int], view: int = 0) -> tuple[Tensor, Tensor]:
        """Return those of several images: (k, 49, channels) and (k, 1280)."""
        rows = torch.from_numpy(self._rows[list(images), view])
        return rows[:, :-HEAD].unflatten(1, (PLACES, -1)), rows[:, -HEAD:].float()


class FeatureExtractor(Protocol):
    """Image features, and a vector or an id for each text."""

    def images(self, paths: Sequence[Path]) -> ImageFeatures: ...

    def sentences(self, texts: Sequence[str]) -> Tensor: ...


class Towers:
    """Both towers behind a cache; a change of weights or inputs recomputes what it affects."""

    def __init__(
        self, image: EfficientNetLite, text: MiniLM, tokenizer: bytes, cache: Path
    ) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        # File names contain the weights' hash: several towers may share one cache.
        image_path, text_path = (
            cache / f"{kind}-{digest(tower.state_dict().values())}.xml"
            for kind, tower in (("image", image), ("text", text))
        )
        save_graph(image_graph(_AllFeatures(image)), image_path, half=False)
        save_graph(text_graph(text), text_path, half=False)
        self._image = Graph(image_path, bf16=True, chunk=2)
        self._text = Graph(text_path)
        self._tokenizer = load_tokenizer(tokenizer)
        self._cache = cache

    def images(self, paths: Sequence[Path]) -> ImageFeatures:
        """Run the image tower on files, or load the outputs of an earlier run.

        An interrupted run continues where it stopped.
        """
        names = [f"{p.parent.name}/{p.name}" for p in paths]
        path = self._path(self._image, [DESCRIPTION, *names])
        done = path.with_suffix(".done")
        start = int(done.read_text()) if path.exists() and done.exists() else 0
        rows: NDArray[np.float16] | None = open_memmap(path, "r+") if start else None
        with ThreadPoolExecutor(2) as pool, tqdm(total=len(paths), initial=start) as bar:
            for at in range(start, len(paths), BATCH):
                part = paths[at : at + BATCH]
                batch = np.concatenate(list(pool.map(_pixels, part, range(at, at + len(part)))))
                features = self._image(batch).astype(np.float16).reshape(len(part), VIEWS, -1)
                if rows is None:
                    shape = (len(paths), VIEWS, features.shape[2])
                    rows = open_memmap(path, "w+", np.float16, shape)
                rows[at : at + len(part)] = features
                done.write_text(str(at + len(part)))
                bar.update(len(part))
        return ImageFeatures(open_memmap(path, "r"))

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Run the text tower: (n, 384) of length 1, cached."""
        path = self._path(self._text, texts)
        if not path.exists():
            part = path.with_suffix(".part.npy")
            np.save(part, self._read(texts))
            part.replace(path)
        return torch.from_numpy(np.load(path))

    def _path(self, tower: Graph, key: Sequence[str]) -> Path:
        about = hashlib.sha256("\n".join(key).encode()).hexdigest()
        return self._cache / f"{tower.path.stem}-{about[:16]}.npy"

    def _read(self, texts: Sequence[str]) -> Vectors:
        # Texts of similar length share a batch, which saves padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        out = np.empty((len(texts), 384), np.float32)
        with tqdm(total=len(texts), unit="text") as bar:
            for start in range(0, len(order), SENTENCE_BATCH):
                rows = order[start : start + SENTENCE_BATCH]
                encodings = self._tokenizer.encode_batch([texts[row] for row in rows])
                ids = np.array([e.ids for e in encodings], np.int64)
                mask = np.array([e.attention_mask for e in encodings], np.int64)
                out[rows] = self._text(ids, mask)
                bar.update(len(rows))
        return out


def _pixels(path: Path, seed: int) -> NDArray[np.uint8]:
    return views(decode(path).image, seed)
