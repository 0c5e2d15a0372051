"""From photographs to heads, and from heads to the two ends that the product ships."""
# mypy: allow-untyped-decorators

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.corpus import Captioned
from training.data.dataset import Material, Split, corpus, told
from training.data.features import Seen
from training.heads.cca_init import Start, closed_form
from training.heads.fusion import Blend, Common, ImageEnd, TextEnd, name_roots, principal
from training.heads.model import ImageHead, Places, TextHead, image_features
from training.heads.train import Heads, Recipe, train
from training.image_tower.efficientnet import EfficientNetLite

CLASS_AXES = 190
BANK = 2048  # captions by which hubs are told
SAMPLE = 8  # every so many'th photograph is enough for means and spreads


def heads(material: Material, split: Split, tower: EfficientNetLite, recipe: Recipe) -> Heads:
    """Untrained heads: the closed form on what `split` gives to learn from."""
    torch.manual_seed(recipe.seed)
    parts = told(material, split)
    images = torch.cat([_start_features(part, tower) for part in parts])
    images = torch.cat(
        [images, _features(material.sample.seen, range(len(material.sample.labels)), tower)]
    )
    sentences = torch.cat([part.sentences.mean(1) for part in parts] + [material.sample.sentences])
    captions = torch.cat([part.sentences.flatten(0, 1) for part in parts])
    start = closed_form(images, sentences, captions)
    places = material.flickr.seen.some(split.flickr[::SAMPLE])[0].float()
    sizes = recipe.sizes
    made = Heads(
        Places(places.mean((0, 1)), places.std((0, 1)) + 1e-3, sizes.place),
        ImageHead(tower._fc, start.image_centre, images.std(0) + 0.1, sizes),
        TextHead(start.text_centre, sizes),
    )
    _begin(made, start)
    return made


def fit(
    material: Material,
    split: Split,
    tower: EfficientNetLite,
    recipe: Recipe,
    *,
    device: str,
    checkpoint: Path,
) -> Heads:
    """Make heads and train them; a run that was stopped goes on from `checkpoint`."""
    made = heads(material, split, tower, recipe)
    train(
        made,
        corpus(material, split),
        material.words,
        recipe,
        device=device,
        checkpoint=checkpoint,
    )
    made.to("cpu")
    return made


@torch.no_grad()
def join(
    fits: Sequence[Heads], material: Material, split: Split, blend: Blend, dim: int
) -> tuple[ImageEnd, TextEnd]:
    """Put trained heads into one space of `dim` numbers, with classes and the hub correction."""
    captions = material.flickr.sentences[list(split.flickr)].flatten(0, 1)
    captions = captions[np.random.default_rng(0).permutation(len(captions))]
    said = torch.cat([each.text(captions[:8192]) for each in fits], 1)
    turn = principal(said, dim - 1 - CLASS_AXES)

    roots = _roots(material, split, fits[0])
    centre = roots.mean(0)
    names = torch.nn.functional.normalize(material.words.classes[0], dim=1)
    # Directions in which the names differ: those of our photographs would be dogs, mostly.
    named = name_roots(names, names)
    common = Common(turn, principal(named - named.mean(0), CLASS_AXES))
    text = TextEnd([each.text for each in fits], common, names, blend)
    # Texts have a centre of their own, and the directions of the pictures, so that both compare.
    text.centre.copy_(name_roots(captions[:8192], names).mean(0))
    part = (name_roots(captions[:8192], names) - text.centre) @ common.axes
    text.spread = float(part.norm(dim=1).mean())
    image = ImageEnd([each.image for each in fits], common, centre, blend)
    image.bank = text.meet(captions[:BANK])
    seen = see(fits, material.flickr.seen, split.flickr[::SAMPLE])
    image.usual = float(image.crowd(image.meet(seen)).mean())
    return image.eval(), text.eval()


@torch.no_grad()
def see(fits: Sequence[Heads], seen: Seen, rows: Sequence[int]) -> Tensor:
    """What the trunk gives for some photographs, from the cache."""
    parts = []
    for start in range(0, len(rows), 250):
        places, pooled = seen.some(rows[start : start + 250])
        parts.append(
            torch.cat(
                [*(each.places(each.places.scaled(places.float())) for each in fits), pooled], 1
            )
        )
    return torch.cat(parts)


def _features(seen: Seen, rows: Sequence[int], tower: EfficientNetLite, view: int = 0) -> Tensor:
    pooled = torch.cat([seen.some(rows[i : i + 500], view)[1] for i in range(0, len(rows), 500)])
    return image_features(pooled, tower._fc(pooled))


def _start_features(part: Captioned, tower: EfficientNetLite) -> Tensor:
    views = [_features(part.seen, part.rows, tower, view) for view in (0, 1)]
    return torch.stack(views).mean(0)


def _roots(material: Material, split: Split, fitted: Heads) -> Tensor:
    sets = [
        (material.flickr.seen, split.flickr),
        (material.coco.seen, split.coco),
        (material.sample.seen, range(len(material.sample.labels))),
        (material.grocery.seen, range(len(material.grocery.labels))),
    ]
    pooled = torch.cat([seen.some(list(rows))[1] for seen, rows in sets])
    return fitted.image.classifier(pooled).softmax(1).sqrt()


@torch.no_grad()
def _begin(made: Heads, start: Start) -> None:
    made.image.linear.weight[: start.image.shape[1]] = start.image.T
    made.text.linear.weight[: start.text.shape[1]] = start.text.T
