"""How the reading model's image tower learns letters, words and things."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from benchmarks.textness import image_tower
from benchmarks.textness.embedding_space import Space
from benchmarks.textness.objects import class_names
from benchmarks.textness.training_data import Batch, Maps, School
from clipsearch.types import Pixels, Vectors

Labels: TypeAlias = NDArray[np.int64]

RATE = 4e-4  # of the tower, which forgets what things look like at 1e-3; its new ends: three times
NEVER = -1e4
RIDGE = 0.3
SHARP = 20.0  # what cosines are multiplied by
OTHER_WORDS = 500  # texts that are wrong, besides the names and the words of the batch
LOOKS = 128  # of the untouched tower's main features, kept while it learns to read
RARE = 3.0  # how much more a letter that is missed costs than one too many
# Weights of the losses beside the contrastive one, which bring each to about its size.
LETTERS, SPELLING, TEXT = 15.0, 15.0, 2.0


class Reader(nn.Module):
    """The tower with its projection `head`, and ends that serve the training alone."""

    def __init__(
        self, trunk: nn.Module, space: Space, school: School, seen: Vectors, labels: Labels
    ) -> None:
        """`seen`, (crops, 1280): what the untouched tower says of the school's crops.

        `labels`: their names' places among `school.names`, then ImageNet's, -1 for none.
        """
        super().__init__()
        self.trunk, self.space, self.school = trunk, space, school
        self._labels = torch.from_numpy(labels)
        width = seen.shape[1]
        self.head = nn.Linear(width, space.dim)
        self.attributes = nn.Linear(width, space.spelling.attributes(["a"]).shape[1])
        self.kept = nn.Linear(width, min(LOOKS, *seen.shape))
        self.cells = nn.Sequential(
            nn.Conv2d(112, 256, 1), nn.ReLU(), nn.Conv2d(256, len(school.marks), 1)
        )
        nn.init.normal_(self.kept.weight, std=0.01)
        nn.init.zeros_(self.kept.bias)
        # Few of all letters stand in a word, and fewer in one place of a picture.
        nn.init.constant_(self.attributes.bias, -2.5)
        nn.init.constant_(self.cells[-1].bias, -4.0)
        self._looks = _main(torch.from_numpy(seen), self.kept.out_features)
        self._photos = torch.from_numpy(space.photos(labelled(school.names)))
        self._words = torch.from_numpy(space.words(school.vocabulary))
        self._begin(torch.from_numpy(seen))
        self._generator = torch.Generator().manual_seed(0)
        self._tower = image_tower.trained(trunk)
        ends = [self.head, self.attributes, self.kept, self.cells]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self._tower, "share": 1.0},
                {"params": [one for end in ends for one in end.parameters()], "share": 3.0},
            ],
            weight_decay=0.02,
        )

    def learn(self, batch: Batch, rate: float) -> float:
        """One step on all: what is it, what is written there, and how is that spelt?"""
        with _quick():
            x = image_tower.cells(self.trunk, image_tower.below(self.trunk, _input(batch.pixels)))
            letters = _letters(self.cells(x[: len(batch.maps)]).float(), batch.maps)
            features = image_tower.pooled(self.trunk, x)
        features = features.float()
        photos, pages = features[: len(batch.crops)], features[batch.worded]
        looks = F.mse_loss(self.kept(photos), self._looks[batch.crops])
        has = torch.from_numpy(self.space.spelling.attributes(batch.words))
        spelling = F.binary_cross_entropy_with_logits(self.attributes(pages), has)
        found = F.normalize(self.head(features), dim=1)
        told = torch.cat([found[: len(batch.crops)], found[batch.worded]])
        loss = self._contrast(told, batch) + TEXT * self._text(found, batch)
        return self._step(loss + looks + SPELLING * spelling + LETTERS * letters, rate)

    def _text(self, found: Tensor, batch: Batch) -> Tensor:
        """Is anything written here?"""
        there = (torch.arange(len(found)) >= batch.worded.start).float()
        above = found[:, -1] - self.space.written / 2
        return F.binary_cross_entropy_with_logits(SHARP * above, there)

    def _contrast(self, found: Tensor, batch: Batch) -> Tensor:
        """Each thing and each word among the texts of all: the loss of CLIP, from pictures to texts
        (LiT).
        """
        own = {
            word: place
            for place, word in enumerate(dict.fromkeys((*self.school.names, *batch.words)))
        }
        places = torch.randint(len(self._words), (OTHER_WORDS,), generator=self._generator)
        spelt = torch.from_numpy(self.space.words(tuple(own)))
        texts = torch.cat([self._photos, spelt, self._words[places]])
        photos, taught = len(self._photos), len(self.school.names)
        words = torch.tensor([photos + own[word] for word in batch.words], dtype=torch.long)
        right = torch.cat([self._labels[batch.crops], words])
        scores = SHARP * found @ texts.T
        # A taught thing may have another of ImageNet's names as well.
        known = ((right >= 0) & (right < taught)).nonzero()[:, 0]
        scores[known, taught:photos] = NEVER
        return F.cross_entropy(scores, right, ignore_index=-1)

    def _begin(self, seen: Tensor) -> None:
        """Let the head tell things as well as the untouched tower lets it (ridge regression)."""
        wanted = torch.where((self._labels >= 0)[:, None], self._photos[self._labels], 0.0)
        middle, deviation = seen.mean(0), seen.std(0) + 1e-3
        standard = (seen - middle) / deviation
        squares = standard.T @ standard + RIDGE * len(seen) * torch.eye(seen.shape[1])
        weights = torch.linalg.solve(squares, standard.T @ (wanted - wanted.mean(0)))
        weights /= deviation[:, None]
        with torch.no_grad():
            self.head.weight.copy_(weights.T)
            self.head.bias.copy_(wanted.mean(0) - middle @ weights)

    def _step(self, loss: Tensor, rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._tower, 5.0)
        self.optimizer.step()
        return float(loss.detach())


def labelled(taught: Sequence[str]) -> tuple[str, ...]:
    """All names that photographs are labelled with: those that are taught, then ImageNet's others."""
    return tuple(dict.fromkeys((*taught, *class_names())))


def features(trunk: nn.Module, squares: Pixels) -> Vectors:
    """What a tower says of squares (n, side, side, 3) uint8: (n, 1280) float32."""
    with torch.no_grad():
        found = [
            image_tower.pooled(
                trunk, image_tower.cells(trunk, image_tower.below(trunk, _input(part)))
            )
            for part in (squares[start : start + 64] for start in range(0, len(squares), 64))
        ]
    result: Vectors = torch.cat(found).numpy()
    return result


def _quick() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def _input(pixels: Pixels) -> Tensor:
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().sub_(127).div_(128)
    return x.contiguous(memory_format=torch.channels_last)


def _letters(found: Tensor, maps: Maps) -> Tensor:
    return F.binary_cross_entropy_with_logits(
        found, torch.from_numpy(maps), pos_weight=torch.tensor(RARE)
    )


def _main(features: Tensor, count: int) -> Tensor:
    """The main components of features, scaled together to a deviation of 1."""
    centred = features - features.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    found = centred @ directions[:count].T
    return found / found.std()
