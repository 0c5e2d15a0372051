"""Heads, images and words small enough to train on in a test."""

import numpy as np
import torch

from training.data.class_names import ClassTexts
from training.data.corpus import CaptionedSet, Corpus, NamedSet
from training.data.features import ImageFeatures
from training.data.hard_negatives import KINDS, NO_TEXT
from training.data.views import VIEWS
from training.heads.model import PLACES, ImageHead, Places, Sizes, TextHead
from training.heads.train import Heads, Recipe
from training.image_tower.efficientnet import HEAD

CHANNELS = 8
RECIPE = Recipe(epochs=2, batch=4, extra=2, sizes=Sizes(dim=300, place=8, image=8, text=8))


def small_seen() -> ImageFeatures:
    """Features of eight images."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(8, VIEWS, PLACES * CHANNELS + HEAD)).astype(np.float16)
    return ImageFeatures(rows)


def small_corpus() -> Corpus:
    """Six images with five captions each, of which two have hard negatives, and two with a name."""
    sentences = torch.nn.functional.normalize(torch.randn(10, 5, 384), dim=2)
    seen = small_seen()
    wrong = torch.full((6, 5, len(KINDS)), NO_TEXT)
    wrong[2, 1, 0], wrong[5, 4, 2] = 0, 1
    told = CaptionedSet(seen, range(6), sentences[:6], repeat=2, negatives=wrong)
    return Corpus(
        [told], [NamedSet(seen, [6, 7], sentences[6:8, 0], [0, 1])], sentences[8:, 0].contiguous()
    )


def small_heads() -> Heads:
    torch.manual_seed(0)
    sizes = RECIPE.sizes
    return Heads(
        Places(torch.zeros(CHANNELS), torch.ones(CHANNELS), sizes.place),
        ImageHead(torch.nn.Linear(HEAD, 1000), torch.zeros(2280), torch.ones(2280), sizes),
        TextHead(torch.zeros(384), sizes),
    )


def some_words() -> ClassTexts:
    members = torch.zeros(2, 1000)
    members[0, :3] = 1
    members[1, 5:400] = 1
    return ClassTexts(torch.randn(4, 1000, 384), torch.randn(3, 2, 384), members)
