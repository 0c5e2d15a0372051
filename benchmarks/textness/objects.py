"""What the image tower knows from ImageNet, by name: its classes and the words that describe them."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from clipsearch.types import Vectors
from clipsearch.vectors import normalize

WORD = re.compile("[a-z]{3,13}")
SPREAD = (2, 150)  # classes whose descriptions hold a word that says something


def class_names() -> tuple[str, ...]:
    """The first name of each of the 1,000 classes, in lower case, in the tower's order; two are twice."""
    return tuple(text.split(",")[0].lower() for text in _descriptions(detailed=False))


def described(count: int) -> Mapping[str, Sequence[int]]:
    """Words of WordNet's descriptions (a dog, a boat), each with the classes that it describes.

    `count` classes are looked at.
    """
    found: dict[str, set[int]] = {}
    for label, text in enumerate(_descriptions(detailed=True)[:count]):
        for word in WORD.findall(text.lower()):
            found.setdefault(word, set()).add(label)
    least, most = SPREAD
    return {word: sorted(labels) for word, labels in found.items() if least <= len(labels) <= most}


def looks(prototypes: Mapping[str, Vectors], weights: Vectors, size: int) -> Mapping[str, Vectors]:
    """Name → what it looks like, (l,) float32 of length 1, with l = `size` or fewer.

    `prototypes`: mean standardized features of the photographs of each class that is taught;
    `weights`, (classes, features): which standardized features speak for each class of ImageNet. A
    name that is in both is what the photographs show.
    """
    own = normalize(np.stack(list(prototypes.values())))
    classes = normalize(weights - weights.mean(axis=0))
    rows = dict(zip(class_names(), classes, strict=False))
    for word, labels in described(len(weights)).items():
        rows.setdefault(word, classes[labels].mean(axis=0))
    rows |= dict(zip(prototypes, own - own.mean(axis=0), strict=True))
    every = np.stack(list(rows.values()))
    # The directions that tell the taught ones apart must be among those that are kept.
    _, _, directions = np.linalg.svd(np.concatenate([classes, 3 * own]), full_matrices=False)
    found = normalize((every @ directions[:size].T).astype(np.float32))
    return dict(zip(rows, found, strict=True))


def _descriptions(*, detailed: bool) -> list[str]:
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return [info.index_to_description(label, detailed) for label in range(info.num_classes())]
