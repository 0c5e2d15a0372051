"""Initialize and train heads, and fuse several into the two projections of the product."""
# mypy: allow-untyped-decorators

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.data.corpus import CaptionedSet
from training.data.dataset import Dataset, Split, build_corpus, captioned_sets
from training.data.features import ImageFeatures
from training.heads.cca_init import CcaInit, fit_cca
from training.heads.fusion import (
    BlendWeights,
    ImageProjection,
    SharedSpace,
    TextProjection,
    name_roots,
    principal,
)
from training.heads.model import ImageHead, Places, TextHead, image_features
from training.heads.train import Heads, Recipe, train

CLASS_AXES = 190
HUB_TEXTS = 2048  # captions that define hubness
SAMPLE = 8  # every eighth image is enough for means and standard deviations


def init_heads(dataset: Dataset, split: Split, classifier: nn.Linear, recipe: Recipe) -> Heads:
    """Return untrained heads, initialized in closed form on the training rows of `split`."""
    torch.manual_seed(recipe.seed)
    parts = captioned_sets(dataset, split)
    images = torch.cat([_start_features(part, classifier) for part in parts])
    images = torch.cat(
        [images, _features(dataset.sample.features, range(len(dataset.sample.labels)), classifier)]
    )
    sentences = torch.cat([part.sentences.mean(1) for part in parts] + [dataset.sample.sentences])
    captions = torch.cat([part.sentences.flatten(0, 1) for part in parts])
    start = fit_cca(images, sentences, captions)
    places = dataset.flickr.features.rows(split.flickr[::SAMPLE])[0].float()
    sizes = recipe.sizes
    heads = Heads(
        Places(places.mean((0, 1)), places.std((0, 1)) + 1e-3, sizes.place),
        ImageHead(classifier, start.image_center, images.std(0) + 0.1, sizes),
        TextHead(start.text_center, sizes),
    )
    _load_init(heads, start)
    return heads


def fit_heads(
    dataset: Dataset,
    split: Split,
    classifier: nn.Linear,
    recipe: Recipe,
    *,
    device: str,
    checkpoint: Path,
) -> Heads:
    """Initialize and train heads; an interrupted run resumes from `checkpoint`."""
    heads = init_heads(dataset, split, classifier, recipe)
    train(
        heads,
        build_corpus(dataset, split),
        dataset.words,
        recipe,
        device=device,
        checkpoint=checkpoint,
    )
    heads.to("cpu")
    return heads


@torch.no_grad()
def fuse_heads(
    fits: Sequence[Heads], dataset: Dataset, split: Split, blend: BlendWeights, dim: int
) -> tuple[ImageProjection, TextProjection]:
    """Fuse trained heads into one space (n, `dim`), with classes and the hub correction."""
    parts = captioned_sets(dataset, split)
    captions = torch.cat([part.sentences.flatten(0, 1) for part in parts])
    captions = captions[np.random.default_rng(0).permutation(len(captions))]
    outputs = torch.cat([each.text(captions[:8192]) for each in fits], 1)
    rotation = principal(outputs, dim - 1 - CLASS_AXES)

    roots = _root_probabilities(dataset, split, fits[0])
    center = roots.mean(0)
    names = torch.nn.functional.normalize(dataset.words.classes[0], dim=1)
    # Axes along which the names differ: those of our images would mostly separate dogs.
    named = name_roots(names, names)
    common = SharedSpace(rotation, principal(named - named.mean(0), CLASS_AXES))
    text = TextProjection([each.text for each in fits], common, names, blend)
    # Texts have their own center but the axes of the images, so that both are comparable.
    text.center.copy_(name_roots(captions[:8192], names).mean(0))
    part = (name_roots(captions[:8192], names) - text.center) @ common.axes
    text.spread = float(part.norm(dim=1).mean())
    image = ImageProjection([each.image for each in fits], common, center, blend)
    image.hub_texts = text.project(captions[:HUB_TEXTS])
    features = torch.cat(
        [trunk_outputs(fits, part.features, list(part.rows)[::SAMPLE]) for part in parts]
    )
    image.mean_hubness = float(image.hubness(image.project(features)).mean())
    return image.eval(), text.eval()


@torch.no_grad()
def trunk_outputs(fits: Sequence[Heads], features: ImageFeatures, rows: Sequence[int]) -> Tensor:
    """Return the trunk's output for some images, from cached features."""
    parts = []
    for start in range(0, len(rows), 250):
        places, pooled = features.rows(rows[start : start + 250])
        parts.append(
            torch.cat(
                [*(each.places(each.places.scaled(places.float())) for each in fits), pooled], 1
            )
        )
    return torch.cat(parts)


def _features(
    features: ImageFeatures, rows: Sequence[int], classifier: nn.Linear, view: int = 0
) -> Tensor:
    pooled = torch.cat(
        [features.rows(rows[i : i + 500], view)[1] for i in range(0, len(rows), 500)]
    )
    return image_features(pooled, classifier(pooled))


def _start_features(part: CaptionedSet, classifier: nn.Linear) -> Tensor:
    views = [_features(part.features, part.rows, classifier, view) for view in (0, 1)]
    return torch.stack(views).mean(0)


def _root_probabilities(dataset: Dataset, split: Split, heads: Heads) -> Tensor:
    sets = [
        (dataset.flickr.features, split.flickr),
        (dataset.coco.features, split.coco),
        (dataset.sample.features, range(len(dataset.sample.labels))),
        (dataset.grocery.features, range(len(dataset.grocery.labels))),
    ]
    pooled = torch.cat([features.rows(list(rows))[1] for features, rows in sets])
    return heads.image.classifier(pooled).softmax(1).sqrt()


@torch.no_grad()
def _load_init(heads: Heads, start: CcaInit) -> None:
    heads.image.linear.weight[: start.image.shape[1]] = start.image.T
    heads.text.linear.weight[: start.text.shape[1]] = start.text.T
