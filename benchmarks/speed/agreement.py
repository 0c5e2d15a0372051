"""How far the embeddings of a model agree between runtimes and precisions."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.images.decode import decode
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.export_check import synthetic_images
from clipsearch.types import Vectors

NEIGHBORS = 10


def lowest_cosines(
    encoders: Mapping[str, Encoder], reference: str, texts: Sequence[str]
) -> dict[str, float]:
    """The lowest cosine to the vectors of the reference, over drawn images and these texts."""
    vectors = {
        name: np.concatenate(
            [embed_images(encoder, synthetic_images()), embed_texts(encoder, texts)]
        )
        for name, encoder in encoders.items()
    }
    return {
        name: round(float(np.sum(rows * vectors[reference], axis=1).min()), 6)
        for name, rows in vectors.items()
    }


def neighbor_recall(
    encoders: Mapping[str, Encoder], reference: str, folder: Path, count: int
) -> dict[str, float]:
    """The share of the nearest neighbors of each image that the reference finds too."""
    files = (file.path for file in FileSource([folder]) if isinstance(file, ImageFile))
    images: list[Image] = [decode(path, min_side=512).image for path in islice(files, count)]
    neighbors = {
        name: _nearest(embed_images(encoder, images)) for name, encoder in encoders.items()
    }
    common = partial(np.intersect1d, assume_unique=True)
    recalls = {
        name: [len(common(a, b)) for a, b in zip(rows, neighbors[reference], strict=True)]
        for name, rows in neighbors.items()
    }
    return {name: round(float(np.mean(counts)) / NEIGHBORS, 4) for name, counts in recalls.items()}


def _nearest(vectors: Vectors) -> Any:
    """The indices (n, 10) of the most similar other rows."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1)[:, :NEIGHBORS]
