"""Temperature scaling: find `logit_scale` of the manifest, which calibrates probabilities.

    python -m training.heads.temperature FOLDER

FOLDER holds a folder of images for each class, none of which the model was trained on. The result
is the scale with the best likelihood of a softmax over class names (Guo et al. 2017, "On
Calibration of Modern Neural Networks").
"""

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.predictions import softmax
from clipsearch.files.embed import embed_files
from clipsearch.models.pocket.encoder import PocketEncoder
from clipsearch.types import ImageRow, Vectors

SCALES = np.arange(5, 101, 0.5)


def best_scale(cosines: Vectors, truth: NDArray[np.intp]) -> float:
    """Return the scale in SCALES with the smallest mean negative log likelihood."""
    rows = np.arange(len(truth))
    losses = [-np.log(softmax(scale * cosines)[rows, truth] + 1e-12).mean() for scale in SCALES]
    return float(SCALES[int(np.argmin(losses))])


def main(arguments: Sequence[str]) -> None:
    """Print the scale, its mean top probability and the accuracy."""
    [folder] = arguments
    encoder, classes = PocketEncoder(), find_class_folders(folder)
    names = [readable_name(name) for name in classes]
    place = {item.path: n for n, files in enumerate(classes.values()) for item in files}
    files = [item for each in classes.values() for item in each]
    rows = [row for row in embed_files(files, encoder) if isinstance(row, ImageRow)]
    truth = np.array([place[row.record.path] for row in rows], dtype=np.intp)
    matrix = build_class_matrix(
        names, model=encoder.identity, encoder=lambda: encoder, cached=False
    )
    cosines = np.stack([row.embedding for row in rows]) @ matrix.vectors.T
    scale = best_scale(cosines, truth)
    chances = softmax(scale * cosines)
    right = np.mean(chances.argmax(axis=1) == truth)
    confidence = chances.max(axis=1).mean()
    print(f"scale {scale:g}: mean top probability {confidence:.1%}, accuracy {right:.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
