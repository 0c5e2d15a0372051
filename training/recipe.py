"""Which pairs the model learns from, and the fit on them.

Captioned photographs teach scenes and actions. ImageNet's sample, with the synonyms and glosses of
its classes, and averages over WordNet's families keep plain nouns strong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.features import Towers
from training.fit import Linear, Pairs, fit_cca, fit_pca, join
from training.heads import FEATURES, Fitted, class_features
from training.sources import Captioned
from training.wordnet import Synset, families

Features = NDArray[np.float32]
HALF = 256  # dimensions of each half
FAMILY_WEIGHT = 0.3
FAMILY_SIZES = (2, 300)  # larger families (entity, object) look like nothing in particular
RIDGE_IMAGE, RIDGE_TEXT = 3.0, 1.0


@dataclass(frozen=True, slots=True)
class Names:
    """ImageNet's classes in words: ids in the classifier's order, WordNet's nouns by id."""

    ids: Sequence[str]
    synsets: dict[str, Synset]


def photo_of(name: str) -> str:
    """Return the prompt that stands for a plain noun."""
    return f"a photo of a {name}"


def caption_pairs(photos: Features, rows: Sequence[Captioned], towers: Towers) -> Pairs:
    """Pair every photograph with each of its captions."""
    texts = [caption for row in rows for caption in row.captions]
    owner = np.repeat(np.arange(len(rows)), [len(row.captions) for row in rows])
    return _pairs(photos[owner], towers.sentences(texts), 1.0)


def name_pairs(photos: Features, labels: Sequence[str], names: Names, towers: Towers) -> Pairs:
    """Pair a labelled photograph with each synonym of its class and with its gloss."""
    texts, owner = [], []
    for row, label in enumerate(labels):
        synset = names.synsets[label]
        mine = [*map(photo_of, synset.lemmas), f"{synset.lemmas[0]}, {synset.gloss}"]
        texts += mine
        owner += [row] * len(mine)
    return _pairs(photos[owner], towers.sentences(texts), 1.0)


def family_pairs(photos: Features, labels: Sequence[str], names: Names, towers: Towers) -> Pairs:
    """Pair the average photograph of each WordNet family with the family's name."""
    texts, features = [], []
    for parent, members in families(names.ids, names.synsets, *FAMILY_SIZES).items():
        rows = np.isin(labels, members)
        if rows.any():
            texts.append(photo_of(names.synsets[parent].lemmas[0]))
            features.append(photos[rows].mean(0))
    return _pairs(np.array(features), towers.sentences(texts), FAMILY_WEIGHT)


def class_names(names: Names, towers: Towers) -> NDArray[np.float64]:
    """Embed the prompt of each class's first name, (1000, 384) of length 1.

    The first synonym alone is better than the average of all: the others are often Latin.
    """
    prompts = [photo_of(names.synsets[id_].lemmas[0]) for id_ in names.ids]
    return towers.sentences(prompts).astype(np.float64)


def fit(parts: Sequence[Pairs], photos: Features, names: NDArray[np.float64]) -> Fitted:
    """Fit both halves: one on pairs, one on √p of the photographs and on the class names."""
    pairs = join(parts)
    image, text = fit_cca(pairs, HALF, ridge_image=RIDGE_IMAGE, ridge_text=RIDGE_TEXT)
    classes = fit_pca(photos[:, FEATURES:].astype(np.float64), HALF)
    said = class_features(torch.from_numpy(pairs.text), torch.from_numpy(names)).numpy()
    # Texts have a centre of their own, and the directions of the pictures, so that both compare.
    centre = np.average(said, axis=0, weights=pairs.weight)
    spread = np.linalg.norm((said - centre) @ classes.matrix, axis=1).mean()
    return Fitted(image, text, names, classes, Linear(centre, classes.matrix / spread))


def _pairs(image: Features, text: Features, weight: float) -> Pairs:
    return Pairs(
        image[:, :FEATURES].astype(np.float64), text.astype(np.float64), np.full(len(image), weight)
    )
