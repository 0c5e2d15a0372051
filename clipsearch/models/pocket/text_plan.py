"""What the text graph embeds for a text, and how its vectors become one.

A vector of the text graph begins with LEARNED numbers, which captions taught, and CLASSES numbers,
which compare the text with the names of ImageNet's classes. The second part knows more nouns, the
first one everything else. So nouns that the training captions rarely mention weigh the second part
more, and long texts less. A noun is also embedded with its meanings from the dictionary.

`training.measure.class_folds` chose the constants, and measures them on classes that the choice
did not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.models.pocket.dictionary import Dictionary
from clipsearch.models.pocket.noun_query import noun_of
from clipsearch.types import Vectors

LEARNED, CLASSES = 224, 190

SHORT_WORDS = 6  # of a text that counts as short
RARE_CAPTIONS = 60  # a noun in fewer of the training captions is rare


@dataclass(frozen=True, slots=True)
class Shares:
    """How much each phrasing of a text contributes, and the weight of the class part.

    `text` is the text itself, `named` the text with a meaning ("a photo of an okapi, a mammal
    that …"), and `meaning` a meaning alone. They sum to 1.
    """

    classes: float
    text: float = 1.0
    named: float = 0.0
    meaning: float = 0.0


@dataclass(frozen=True, slots=True)
class Constants:
    """The shares of rare and common nouns, other short texts, and long texts."""

    rare: Shares = Shares(2.0, 1 / 3, 1 / 3, 1 / 3)
    common: Shares = Shares(1.0, 0.75, 0.25)
    short: Shares = Shares(1.0)
    long: Shares = Shares(0.5)


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The phrasings of a text with their shares; the first one is the text itself."""

    phrasings: Sequence[tuple[str, float]]
    classes: float


def plan_text(text: str, dictionary: Dictionary, constants: Constants = Constants()) -> TextPlan:
    """Decide how a text is embedded: as a noun, a short text, or a long one."""
    name = noun_of(text)
    noun = dictionary.find_noun(name) if name else None
    if noun is None:
        shares = constants.short if len(text.split()) <= SHORT_WORDS else constants.long
        return TextPlan([(text, 1.0)], shares.classes)
    shares = constants.rare if noun.captions < RARE_CAPTIONS else constants.common
    count = len(noun.meanings)
    named = [(f"{text}, {meaning}", shares.named / count) for meaning in noun.meanings]
    alone = [(f"a photo of {meaning}", shares.meaning / count) for meaning in noun.meanings]
    phrasings = [each for each in (*named, *alone) if each[1]]
    return TextPlan([(text, shares.text), *phrasings], shares.classes)


def join_phrasings(vectors: Vectors, plan: TextPlan) -> Vectors:
    """Join the vectors of a plan's phrasings, (p, d) float32 of length 1, to one (d,).

    Both parts become the weighted average of the phrasings, and the class part gets its weight. The
    rest, which is about text in images, remains that of the text itself.
    """
    end = LEARNED + CLASSES
    learned = vectors[:, :LEARNED]
    # The learned part had length 1 before the graph joined the parts.
    parts = vectors[:, :end] / np.linalg.norm(learned, axis=1, keepdims=True)
    joined = np.array([share for _, share in plan.phrasings], np.float32) @ parts
    joined[:LEARNED] /= np.linalg.norm(joined[:LEARNED])
    joined[LEARNED:] *= plan.classes
    whole: Vectors = vectors[0].copy()
    whole[:end] = joined * (np.linalg.norm(whole[:end]) / np.linalg.norm(joined))
    return whole
