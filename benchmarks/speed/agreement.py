"""How far the embeddings of a model agree between runtimes and precisions."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL.Image import Image

from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.images.decode import decode
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.export_check import synthetic_images
from clipsearch.models.int8_build import neighbor_recall


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


def neighbor_recalls(
    encoders: Mapping[str, Encoder], reference: str, folder: Path, count: int
) -> dict[str, float]:
    """The share of the nearest neighbors of each image that the reference finds too."""
    files = (file.path for file in FileSource([folder]) if isinstance(file, ImageFile))
    images: list[Image] = [decode(path, min_side=512).image for path in islice(files, count)]
    vectors = {name: embed_images(encoder, images) for name, encoder in encoders.items()}
    return {
        name: round(neighbor_recall(rows, vectors[reference]), 4) for name, rows in vectors.items()
    }
