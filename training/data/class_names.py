"""ImageNet's classes and WordNet's families in words, as sentence vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.features import Reads
from training.data.wordnet import Synset, families

FAMILY_SIZES = (2, 200)  # larger families (entity, object) look like nothing in particular


@dataclass(frozen=True, slots=True)
class Names:
    """ImageNet's classes: ids in the classifier's order, WordNet's nouns by id."""

    ids: Sequence[str]
    synsets: dict[str, Synset]


@dataclass(frozen=True, slots=True)
class Words:
    """Ways to say each class (k, 1000, 384) and each family (j, f, 384); members (f, 1000)."""

    classes: Tensor
    families: Tensor
    members: Tensor

    def to(self, device: str) -> "Words":
        """The same on another device."""
        return Words(self.classes.to(device), self.families.to(device), self.members.to(device))


def photo_of(name: str) -> str:
    """Return the prompt that stands for a plain noun."""
    return f"a photo of a {name}"


def ways(synset: Synset) -> list[str]:
    """Say a synset by its first name, plainly, with its meaning, and by its second name.

    The first synonym alone is better than the average of all: the others are often Latin.
    """
    first, second = synset.lemmas[0], synset.lemmas[min(1, len(synset.lemmas) - 1)]
    return [photo_of(first), first, f"{first}, {synset.gloss}", photo_of(second)]


def words(names: Names, towers: Reads) -> Words:
    """Read all names; the first way of `classes` is the prompt with the first name."""
    groups = families(names.ids, names.synsets, *FAMILY_SIZES)
    classes = _said([ways(names.synsets[id_]) for id_ in names.ids], towers)
    parents = _said([ways(names.synsets[id_])[:3] for id_ in groups], towers)
    place = {id_: column for column, id_ in enumerate(names.ids)}
    members = np.zeros((len(groups), len(names.ids)), np.float32)
    for row, group in enumerate(groups.values()):
        members[row, [place[id_] for id_ in group]] = 1
    return Words(classes, parents, torch.from_numpy(members))


def _said(texts: Sequence[Sequence[str]], towers: Reads) -> Tensor:
    flat = towers.sentences([text for row in texts for text in row])
    return flat.unflatten(0, (len(texts), -1)).transpose(0, 1).contiguous()
