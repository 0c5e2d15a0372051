"""Training of the reading model's image tower on letters, words and objects."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from benchmarks.textness import image_tower
from benchmarks.textness.embedding_space import EmbeddingSpace
from benchmarks.textness.imagenet import class_names
from benchmarks.textness.training_data import Batch, LetterMaps, TrainingSet
from clipsearch.types import Pixels, Vectors

Labels: TypeAlias = NDArray[np.int64]

LEARNING_RATE = 4e-4  # at 1e-3 the tower forgets objects; the new heads learn at three times this
MASKED = -1e4
RIDGE = 0.3
LOGIT_SCALE = 20.0
NEGATIVE_WORDS = 500  # wrong texts, besides the names and the words of the batch
KEPT_COMPONENTS = 128  # main components of the published features, preserved in training
MISSED_LETTER_WEIGHT = 3.0  # the cost of a missed letter relative to a false one
# The weights of the losses beside the contrastive loss bring each to about its size.
LETTERS_WEIGHT, SPELLING_WEIGHT, TEXT_WEIGHT = 15.0, 15.0, 2.0


class ImageTowerTrainer(nn.Module):
    """The tower with its projection `head`, and further heads for training only."""

    def __init__(
        self,
        trunk: nn.Module,
        space: EmbeddingSpace,
        training_set: TrainingSet,
        features: Vectors,
        labels: Labels,
    ) -> None:
        """Begin with a head that classifies objects by the published features.

        `features`, (crops, 1280), are those of the published tower for the training set's crops.
        `labels` index `training_set.names` and then the other ImageNet names; -1 for none.
        """
        super().__init__()
        self.trunk, self.space, self.training_set = trunk, space, training_set
        self._labels = torch.from_numpy(labels)
        width = features.shape[1]
        self.head = nn.Linear(width, space.dim)
        self.attributes = nn.Linear(width, space.spelling.attributes(["a"]).shape[1])
        self.components = nn.Linear(width, min(KEPT_COMPONENTS, *features.shape))
        self.letters = nn.Sequential(
            nn.Conv2d(112, 256, 1), nn.ReLU(), nn.Conv2d(256, len(training_set.channels), 1)
        )
        nn.init.normal_(self.components.weight, std=0.01)
        nn.init.zeros_(self.components.bias)
        # A word has few of all letters, and one cell of an image even fewer.
        nn.init.constant_(self.attributes.bias, -2.5)
        nn.init.constant_(self.letters[-1].bias, -4.0)
        published = torch.from_numpy(features)
        self._published_components = _main_components(published, self.components.out_features)
        self._object_texts = torch.from_numpy(space.objects(label_names(training_set.names)))
        self._word_texts = torch.from_numpy(space.words(training_set.vocabulary))
        self._initialize_head(published)
        self._generator = torch.Generator().manual_seed(0)
        self._tower = image_tower.trainable_parameters(trunk)
        heads = [self.head, self.attributes, self.components, self.letters]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self._tower, "factor": 1.0},
                {"params": [p for head in heads for p in head.parameters()], "factor": 3.0},
            ],
            weight_decay=0.02,
        )

    def train_step(self, batch: Batch, learning_rate: float) -> float:
        """One step on the losses for objects, words, their spelling and their letters."""
        with _autocast():
            frozen = image_tower.frozen_features(self.trunk, _input(batch.pixels))
            cells = image_tower.cell_features(self.trunk, frozen)
            letters = _letter_loss(self.letters(cells[: len(batch.maps)]).float(), batch.maps)
            features = image_tower.pooled_features(self.trunk, cells)
        features = features.float()
        known, with_word = features[: len(batch.crops)], features[batch.with_word]
        target = self._published_components[batch.crops]
        components = F.mse_loss(self.components(known), target)
        attributes = torch.from_numpy(self.space.spelling.attributes(batch.words))
        spelling = F.binary_cross_entropy_with_logits(self.attributes(with_word), attributes)
        embeddings = F.normalize(self.head(features), dim=1)
        labeled = torch.cat([embeddings[: len(batch.crops)], embeddings[batch.with_word]])
        loss = self._contrastive_loss(labeled, batch)
        loss = loss + TEXT_WEIGHT * self._text_loss(embeddings, batch)
        loss = loss + components + SPELLING_WEIGHT * spelling + LETTERS_WEIGHT * letters
        return self._step(loss, learning_rate)

    def _text_loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """Binary cross-entropy: is there text in the image?"""
        has_text = (torch.arange(len(embeddings)) >= batch.with_word.start).float()
        excess = embeddings[:, -1] - self.space.written / 2
        return F.binary_cross_entropy_with_logits(LOGIT_SCALE * excess, has_text)

    def _contrastive_loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """Each object and word among all texts: CLIP's loss from images to texts (LiT)."""
        words = dict.fromkeys((*self.training_set.names, *batch.words))
        index_of = {word: index for index, word in enumerate(words)}
        negatives = torch.randint(
            len(self._word_texts), (NEGATIVE_WORDS,), generator=self._generator
        )
        batch_texts = torch.from_numpy(self.space.words(tuple(index_of)))
        texts = torch.cat([self._object_texts, batch_texts, self._word_texts[negatives]])
        objects, trained = len(self._object_texts), len(self.training_set.names)
        word_targets = [objects + index_of[word] for word in batch.words]
        targets = torch.cat(
            [self._labels[batch.crops], torch.tensor(word_targets, dtype=torch.long)]
        )
        logits = LOGIT_SCALE * embeddings @ texts.T
        # A trained object may have another of ImageNet's names as well.
        rows = ((targets >= 0) & (targets < trained)).nonzero()[:, 0]
        logits[rows, trained:objects] = MASKED
        return F.cross_entropy(logits, targets, ignore_index=-1)

    def _initialize_head(self, features: Tensor) -> None:
        """Fit the head to classify objects by the published features (ridge regression)."""
        is_labeled = (self._labels >= 0)[:, None]
        targets = torch.where(is_labeled, self._object_texts[self._labels], 0.0)
        mean, deviation = features.mean(0), features.std(0) + 1e-3
        standard = (features - mean) / deviation
        gram = standard.T @ standard + RIDGE * len(features) * torch.eye(features.shape[1])
        weights = torch.linalg.solve(gram, standard.T @ (targets - targets.mean(0)))
        weights /= deviation[:, None]
        with torch.no_grad():
            self.head.weight.copy_(weights.T)
            self.head.bias.copy_(targets.mean(0) - mean @ weights)

    def _step(self, loss: Tensor, learning_rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["factor"]
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._tower, 5.0)
        self.optimizer.step()
        return float(loss.detach())


def label_names(trained: Sequence[str]) -> tuple[str, ...]:
    """The names of all labels: those that are trained, then ImageNet's other names."""
    return tuple(dict.fromkeys((*trained, *class_names())))


def extract_features(trunk: nn.Module, images: Pixels) -> Vectors:
    """The tower's features (n, 1280) float32 of images (n, side, side, 3) uint8."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(images), 64):
            frozen = image_tower.frozen_features(trunk, _input(images[start : start + 64]))
            cells = image_tower.cell_features(trunk, frozen)
            rows.append(image_tower.pooled_features(trunk, cells))
    result: Vectors = torch.cat(rows).numpy()
    return result


def _autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def _input(pixels: Pixels) -> Tensor:
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().sub_(127).div_(128)
    return x.contiguous(memory_format=torch.channels_last)


def _letter_loss(logits: Tensor, maps: LetterMaps) -> Tensor:
    return F.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(maps), pos_weight=torch.tensor(MISSED_LETTER_WEIGHT)
    )


def _main_components(features: Tensor, count: int) -> Tensor:
    """The main components of features, scaled together to a standard deviation of 1."""
    centered = features - features.mean(0)
    _, _, directions = torch.linalg.svd(centered, full_matrices=False)
    components = centered @ directions[:count].T
    return components / components.std()
