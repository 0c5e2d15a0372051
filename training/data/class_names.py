"""Sentence vectors of ImageNet's class names and of WordNet's families of classes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.features import FeatureExtractor
from training.data.wordnet import Synset, families

FAMILY_SIZES = (2, 200)  # larger families (entity, object) have no common look


@dataclass(frozen=True, slots=True)
class ClassNames:
    """ImageNet's class ids in the classifier's order, and WordNet's nouns by id."""

    ids: Sequence[str]
    synsets: dict[str, Synset]


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """k texts for each class (k, 1000, 384), j for each family (j, f, 384); members (f, 1000)."""

    classes: Tensor
    families: Tensor
    members: Tensor

    def to(self, device: str) -> "ClassTexts":
        """Move to another device."""
        return ClassTexts(
            self.classes.to(device), self.families.to(device), self.members.to(device)
        )


def prompt_for(name: str) -> str:
    """Return the prompt that stands for a plain noun."""
    return f"a photo of a {name}"


def phrasings(synset: Synset) -> list[str]:
    """Return four texts for a synset: prompt, first name, name with gloss, prompt with second name.

    The first synonym alone works better than the mean of all: the others are often Latin.
    """
    first, second = synset.lemmas[0], synset.lemmas[min(1, len(synset.lemmas) - 1)]
    return [prompt_for(first), first, f"{first}, {synset.gloss}", prompt_for(second)]


def embed_class_names(
    names: ClassNames, towers: FeatureExtractor, hidden: Collection[str] = ()
) -> ClassTexts:
    """Embed all names; the first text of each class is the prompt with its first name.

    The classes with the ids `hidden` belong to no family, and 0 stands for their texts, to which no
    text is similar.
    """
    known = [id_ for id_ in names.ids if id_ not in hidden]
    groups = families(known, names.synsets, *FAMILY_SIZES)
    classes = _embed([phrasings(names.synsets[id_]) for id_ in names.ids], towers)
    parents = _embed([phrasings(names.synsets[id_])[:3] for id_ in groups], towers)
    columns = {id_: column for column, id_ in enumerate(names.ids)}
    classes[:, [columns[id_] for id_ in hidden]] = 0
    members = np.zeros((len(groups), len(names.ids)), np.float32)
    for row, group in enumerate(groups.values()):
        members[row, [columns[id_] for id_ in group]] = 1
    return ClassTexts(classes, parents, torch.from_numpy(members))


def _embed(texts: Sequence[Sequence[str]], towers: FeatureExtractor) -> Tensor:
    flat = towers.sentences([text for row in texts for text in row])
    return flat.unflatten(0, (len(texts), -1)).transpose(0, 1).contiguous()
