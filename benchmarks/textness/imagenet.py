"""Object names and appearances that an ImageNet classifier provides."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from clipsearch.types import Vectors
from clipsearch.vectors import normalize

WORD = re.compile("[a-z]{3,13}")
MIN_CLASSES, MAX_CLASSES = 2, 150  # described by a word; others are too rare or say nothing


def class_names() -> tuple[str, ...]:
    """The first name of each of the 1,000 classes, in lower case and class order.

    Two names occur twice.
    """
    return tuple(text.split(",")[0].lower() for text in _descriptions(detailed=False))


def description_words(count: int) -> Mapping[str, Sequence[int]]:
    """Words of the WordNet descriptions (dog, boat) of the first `count` classes.

    Each word maps to the classes that it describes.
    """
    classes: dict[str, set[int]] = {}
    for label, text in enumerate(_descriptions(detailed=True)[:count]):
        for word in WORD.findall(text.lower()):
            classes.setdefault(word, set()).add(label)
    return {
        word: sorted(labels)
        for word, labels in classes.items()
        if MIN_CLASSES <= len(labels) <= MAX_CLASSES
    }


def appearances(
    prototypes: Mapping[str, Vectors], weights: Vectors, size: int
) -> Mapping[str, Vectors]:
    """The appearance of each name, (l,) float32 of length 1, with l at most `size`.

    `prototypes` are mean standardized features of the training images of each class. `weights`,
    (classes, features), are the classifier's weights for standardized features. A name that is in
    both gets the appearance of its images.
    """
    trained = normalize(np.stack(list(prototypes.values())))
    classes = normalize(weights - weights.mean(axis=0))
    rows = dict(zip(class_names(), classes, strict=False))
    for word, labels in description_words(len(weights)).items():
        rows.setdefault(word, classes[labels].mean(axis=0))
    rows |= dict(zip(prototypes, trained - trained.mean(axis=0), strict=True))
    matrix = np.stack(list(rows.values()))
    # The weight 3 keeps the directions that separate the trained classes.
    _, _, directions = np.linalg.svd(np.concatenate([classes, 3 * trained]), full_matrices=False)
    projected = normalize((matrix @ directions[:size].T).astype(np.float32))
    return dict(zip(rows, projected, strict=True))


def _descriptions(*, detailed: bool) -> list[str]:
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return [info.index_to_description(label, detailed) for label in range(info.num_classes())]
