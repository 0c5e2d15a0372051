"""Train the heads on cached features, optionally with the last layers of the text tower.

Training is seeded and resumable, on the CPU or a GPU.
"""
# mypy: allow-subclassing-any

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.checkpoint import digest, save
from training.data.class_names import ClassTexts
from training.data.corpus import Batch, Corpus
from training.heads.losses import contrastive, distill, family_shares, ranked
from training.heads.model import ImageHead, Places, Sizes
from training.heads.noise import cutout, feature_noise
from training.precision import fast_precision, fast_products
from training.text_tower.minilm import Layer


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of a fit.

    A step takes `batch` captioned and `extra` named images. `classes`, `families` and `names` are
    the loss weights of class names, WordNet families and image names, `hard` those of the kinds of
    hard negatives (`training.data.hard_negatives.KINDS`). `cutout` is the share of
    images with a hidden rectangle, `noise` the strength of the feature noise
    (`training.heads.noise`). Layers of the text tower, if trained, learn at `language_share` of the
    rate.
    """

    epochs: int = 10
    batch: int = 512
    extra: int = 128
    rate: float = 1e-3
    decay: float = 0.05
    classes: float = 0.5
    families: float = 0.4
    names: float = 0.3
    hard: tuple[float, ...] = (0.3, 0.1, 0.1, 0.1)
    largest_family: int = 60
    cutout: float = 0.7
    noise: float = 0.3
    language_share: float = 0.05
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0


class Heads(nn.Module):
    """Both projection heads and the two temperatures of the losses.

    `text` takes the texts of a `Corpus`: sentence vectors, or text ids (see `late_layers`).
    """

    def __init__(self, places: Places, image: ImageHead, text: nn.Module) -> None:
        super().__init__()
        self.places, self.image, self.text = places, image, text
        self.captions_scale = nn.Parameter(torch.tensor(math.log(1 / 0.05)))
        self.names_scale = nn.Parameter(torch.tensor(math.log(1 / 0.06)))

    def embed_images(self, places: Tensor, pooled: Tensor) -> Tensor:
        """Cached features → (n, dim)."""
        return self.image(self.places(self.places.scaled(places)), pooled)


def train(
    heads: Heads,
    corpus: Corpus,
    words: ClassTexts,
    recipe: Recipe,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
) -> None:
    """Train `heads` in place; resume from `checkpoint` if it exists.

    A checkpoint of another recipe, initialization or corpus is ignored. Matrix products of the
    places and of trained layers of the text tower run in `fast_precision`.
    """
    heads.to(device)
    words = words.to(device)
    steps = corpus.steps(recipe.batch)
    optimizer = torch.optim.AdamW(
        _groups(heads, recipe), lr=recipe.rate, betas=(0.9, 0.98), fused=True
    )
    total = recipe.epochs * steps

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / 20) * (0.51 + 0.49 * math.cos(math.pi * step / total))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    parts: dict[str, Any] = {"heads": heads, "optimizer": optimizer, "schedule": schedule}
    init = digest(heads.state_dict().values())
    key = {**asdict(recipe), "steps": total, "corpus": corpus.digest(), "init": init}
    first = _restore(checkpoint, key, parts)
    with tqdm(total=total, initial=first * steps, unit="step") as bar:
        for epoch in range(first, recipe.epochs):
            torch.manual_seed(
                recipe.seed * 1000 + epoch
            )  # a resumed run equals an uninterrupted one
            draw = np.random.default_rng([recipe.seed, epoch])
            order = corpus.order(draw)
            heads.train()
            for step in range(steps):
                chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
                batch = corpus.batch(chosen, recipe.extra, draw)
                batch = Batch(*(part.to(device) for part in batch))
                value = loss(heads, batch, words, recipe)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                for scale in (heads.captions_scale, heads.names_scale):
                    scale.data.clamp_(max=math.log(100))
                bar.set_postfix(epoch=epoch, loss=f"{float(value.detach()):.2f}")
                bar.update()
            if checkpoint is not None:
                state = {name: part.state_dict() for name, part in parts.items()}
                save(checkpoint, {"recipe": key, "epoch": epoch + 1, **state})
    heads.eval()


def loss(heads: Heads, batch: Batch, words: ClassTexts, recipe: Recipe) -> Tensor:
    """Return the weighted sum of all losses on one batch."""
    device = batch.places.device.type
    features = heads.places.scaled(batch.places.to(fast_precision(device)))
    features = cutout(feature_noise(features, recipe.noise), recipe.cutout)
    with fast_products(device):
        places = heads.places(features)
    images = heads.image(places.float(), batch.pooled, recipe.noise)
    count, captions = batch.sentences.shape[:2]
    texts = heads.text(batch.sentences.flatten(0, 1))
    same = batch.owners[:, None] == batch.owners.repeat_interleave(captions)[None]
    scale = heads.captions_scale.exp()
    value = contrastive(images[:count], texts, same, scale)
    wrong = heads.text(batch.wrong) if len(batch.wrong) else texts[:0]
    for kind, weight in enumerate(recipe.hard):
        pairs = batch.kinds == kind
        at = batch.wronged[pairs]
        value = value + weight * ranked(images[at // captions], texts[at], wrong[pairs], scale)

    probabilities = heads.image.classifier(batch.pooled).softmax(1)
    names_scale = heads.names_scale.exp()
    kind = 0 if torch.rand(()) < 0.5 else int(torch.randint(len(words.classes), ()))
    value = value + recipe.classes * distill(
        images, heads.text(words.classes[kind]), probabilities, names_scale
    )
    shares = family_shares(probabilities, words.members, recipe.largest_family)
    kind = int(torch.randint(len(words.families), ()))
    value = value + recipe.families * distill(
        images, heads.text(words.families[kind]), shares, names_scale
    )
    same = batch.keys[:, None] == batch.keys[None]
    shares = same / same.sum(1, keepdim=True)
    return value + recipe.names * distill(images[count:], heads.text(batch.names), shares, scale)


def _groups(heads: Heads, recipe: Recipe) -> list[dict[str, Any]]:
    tower = [p for part in heads.modules() if isinstance(part, Layer) for p in part.parameters()]
    known = set(map(id, tower))
    # Weight decay is for matrices only, not for biases and temperatures.
    live = [p for p in heads.parameters() if p.requires_grad and id(p) not in known]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in live if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in live if p.ndim < 2], "weight_decay": 0.0},
    ]
    if tower:
        groups.append(
            {"params": tower, "weight_decay": 0.0, "lr": recipe.language_share * recipe.rate}
        )
    return groups


def _restore(path: Path | None, key: dict[str, Any], parts: dict[str, Any]) -> int:
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["recipe"] != key:
        return 0
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epoch"])
