"""Outputs of both towers for images and texts, computed once and cached on disk."""
# mypy: allow-subclassing-any

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from clipsearch.cache import atomic_write
from clipsearch.images.decode import decode
from clipsearch.models.openvino_runtime import Graph
from clipsearch.types import Vectors
from training.checkpoint import exclusive
from training.data.views import DESCRIPTION, VIEWS, views
from training.heads.model import PLACES, place_features
from training.image_tower.efficientnet import HEAD, EfficientNetLite
from training.packing.export import load_tokenizer, save_graph

BATCH = 32
SENTENCE_BATCH = 64
READ_BYTES = 1 << 24


class AllFeatures(nn.Module):
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

    @classmethod
    def load(cls, path: Path) -> "ImageFeatures":
        """Map a file, which is first read in order: random reads of a cold file take seconds."""
        with path.open("rb", buffering=0) as file:
            buffer = bytearray(READ_BYTES)
            while file.readinto(buffer):
                pass
        return cls(open_memmap(path, "r"))

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, image: int, view: int) -> tuple[Tensor, Tensor]:
        """Return places (49, channels) float16 and pooled (1280,) of one image in one view."""
        row = torch.from_numpy(self._rows[image, view].copy())
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
    """The graphs of both towers behind a cache, which several runs may share.

    A change of weights or inputs, also of the content of an image file, recomputes what it affects.
    """

    def __init__(self, image: Any, text: Any, tokenizer: bytes, cache: Path) -> None:
        """Take graphs: images to all inputs of the heads, token ids and mask to sentences."""
        cache.mkdir(parents=True, exist_ok=True)
        self._image = Graph(_saved(image, cache, "image"), bf16=True, chunk=2 * VIEWS)
        self._text = Graph(_saved(text, cache, "text"))
        self._tokenizer = load_tokenizer(tokenizer)
        self._cache = cache

    def images(self, paths: Sequence[Path]) -> ImageFeatures:
        """Run the image tower on files, or load the outputs of an earlier run.

        An interrupted run continues where it stopped.
        """
        with ThreadPoolExecutor(4) as pool:
            contents = list(pool.map(_content_hash, paths))
        path = self._path(self._image, [DESCRIPTION, *contents])
        if not path.exists():
            with exclusive(path):
                if not path.exists():  # another run may have written it meanwhile
                    self._write(paths, path)
        return ImageFeatures.load(path)

    def _write(self, paths: Sequence[Path], path: Path) -> None:
        part, done = path.with_suffix(".part.npy"), path.with_suffix(".done")
        start = int(done.read_text()) if part.exists() and done.exists() else 0
        rows: NDArray[np.float16] | None = open_memmap(part, "r+") if start else None
        with ThreadPoolExecutor(2) as pool, tqdm(total=len(paths), initial=start) as bar:
            for at in range(start, len(paths), BATCH):
                files = paths[at : at + BATCH]
                batch = np.concatenate(list(pool.map(_pixels, files, range(at, at + len(files)))))
                features = self._image(batch).astype(np.float16).reshape(len(files), VIEWS, -1)
                if rows is None:
                    shape = (len(paths), VIEWS, features.shape[2])
                    rows = open_memmap(part, "w+", np.float16, shape)
                rows[at : at + len(files)] = features
                done.write_text(str(at + len(files)))
                bar.update(len(files))
        part.replace(path)
        done.unlink()

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Run the text tower: (n, 384) of length 1, cached."""
        path = self._path(self._text, texts)
        if not path.exists():
            rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
            vectors = self._read(list(rows))[[rows[text] for text in texts]]
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.save(file, vectors)
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


def _saved(graph: Any, cache: Path, kind: str) -> Path:
    """Save a graph in the cache, named by its content, unless an earlier run has done that."""
    with TemporaryDirectory(dir=cache, prefix=f"{kind}-") as folder:
        made = Path(folder) / "graph.xml"
        save_graph(graph, made, half=False)
        # Not of the .xml, in which a conversion numbers the names anew.
        operations = "\n".join(sorted(node.get_type_name() for node in graph.get_ops()))
        weights = made.with_suffix(".bin").read_bytes()
        about = hashlib.sha256(operations.encode() + weights).hexdigest()
        path = cache / f"{kind}-{about[:8]}.xml"
        with exclusive(path):
            if not path.exists():
                # The weights first: a graph without them cannot be read.
                made.with_suffix(".bin").replace(path.with_suffix(".bin"))
                made.replace(path)
    return path


def _content_hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _pixels(path: Path, seed: int) -> NDArray[np.uint8]:
    return views(decode(path).image, seed)
