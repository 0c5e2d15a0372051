"""What the towers say about photographs and texts, computed once and kept in a cache folder."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from clipsearch.images import decode
from clipsearch.models.openvino import Graph
from clipsearch.models.pocket import PREPROCESSING, PocketEncoder
from clipsearch.types import Pixels
from training.export import image_graph, load_tokenizer, save_graph, text_graph
from training.heads import ImageTrunk
from training.towers import EfficientNetLite0, MiniLM

Array = NDArray[np.float32]
BATCH = 32


class Towers:
    """Both towers in float32 behind a cache; what a change touches is computed anew."""

    def __init__(
        self, image: EfficientNetLite0, text: MiniLM, tokenizer: bytes, cache: Path
    ) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        save_graph(image_graph(ImageTrunk(image)), cache / "image.xml", half=False)
        save_graph(text_graph(text), cache / "text.xml", half=False)
        self._image = Graph(cache / "image.xml", chunk=2)
        self._text = Graph(cache / "text.xml")
        self._tokenizer = load_tokenizer(tokenizer)
        self._cache = cache

    def photos(self, paths: Sequence[Path]) -> Array:
        """Run the image tower on files: (n, 3280), see `image_features`."""
        names = [f"{p.parent.name}/{p.name}" for p in paths]
        return self._cached(self._image, [PREPROCESSING, *names], lambda: self._see(paths))

    def sentences(self, texts: Sequence[str]) -> Array:
        """Run the text tower: (n, 384) of length 1."""
        return self._cached(self._text, texts, lambda: self._read(texts))

    def _cached(self, tower: Graph, key: Sequence[str], compute: Callable[[], Array]) -> Array:
        digest = hashlib.sha256("\n".join(key).encode())
        digest.update(tower.path.with_suffix(".bin").read_bytes())
        path = self._cache / f"{tower.path.stem}-{digest.hexdigest()[:16]}.npy"
        if not path.exists():
            part = path.with_suffix(".part.npy")
            np.save(part, compute())
            part.replace(path)
        array: Array = np.load(path)
        return array

    def _see(self, paths: Sequence[Path]) -> Array:
        encoder = PocketEncoder()

        def pixels(path: Path) -> Pixels:
            return encoder.preprocess(decode(path).image)

        parts = []
        with ThreadPoolExecutor(2) as pool, tqdm(total=len(paths), unit="photo") as bar:
            for start in range(0, len(paths), BATCH):
                batch = np.stack(list(pool.map(pixels, paths[start : start + BATCH])))
                parts.append(self._image(batch))
                bar.update(len(batch))
        return np.concatenate(parts)

    def _read(self, texts: Sequence[str]) -> Array:
        # Texts of one length share a batch: nothing is spent on padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        out = np.empty((len(texts), 384), np.float32)
        with tqdm(total=len(texts), unit="text") as bar:
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                encodings = self._tokenizer.encode_batch([texts[row] for row in rows])
                ids = np.array([e.ids for e in encodings], np.int64)
                mask = np.array([e.attention_mask for e in encodings], np.int64)
                out[rows] = self._text(ids, mask)
                bar.update(len(rows))
        return out
