"""Text queries with known answers, made from the captions of images."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MIN_IMAGES = 4  # that a caption with the words must have, for words to be a query
MIN_IMAGES_OF_PHRASE = 5
MAX_SHARE = 0.3  # of all images: more common words say nothing
PRIOR_PAIRS = 20.0  # pairs of captions that the mean over all texts counts in `completeness`
LEAST_COMPLETENESS = 0.4
SINGLE_COMPLETENESS = 0.6  # of images with one caption each, which tell nothing about it

_COMMON = """
a about above across after against all along among an and another are around as at away back be
been before behind being below beneath beside between both by down during each few for from front
has have he her his in into is it its many more near next of off on one onto open or other others
out over past seen she some someone something that the their them there these they this those
through to top toward towards under up very view was were where which while who with without
"""
STOP_WORDS = frozenset(_COMMON.split())
"""English words that are no query by themselves; captions of other languages have few of them."""

LINKS = frozenset(("in", "on", "with", "under", "a", "an", "near"))

_WORD = re.compile(r"[^\W\d_]{3,}|[^\W\d_]+")
_UNCHANGED = re.compile(r"(?:ss|us|is|nts|ans|rts|ors|les|thes|airs|oods)$")


@dataclass(frozen=True, slots=True)
class CaptionQuery:
    """A text, and the rows of the images whose captions have its words.

    `completeness` is the estimated share of relevant images among these rows, 0..1.
    """

    text: str
    rows: tuple[int, ...]
    completeness: float = 1.0


def caption_queries(captions: Sequence[Sequence[str]]) -> list[CaptionQuery]:
    """Words and short phrases of the captions of n images, the most frequent first.

    An image counts as relevant if one of its captions has the words next to each other, in the
    singular or plural. That misses images whose captions do not mention what they show: how many is
    estimated from how often two captions of one image agree. One that is repeated counts once.
    """
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    distinct = [{" ".join(text.lower().split()) for text in texts} for texts in captions]
    for row, texts in enumerate(distinct):
        for text in texts:
            for phrase in set(_phrases(text)):
                found[phrase][row] += 1
    limit = max(MIN_IMAGES, MAX_SHARE * len(captions))
    kept = {
        text: mentions
        for text, mentions in found.items()
        if (MIN_IMAGES_OF_PHRASE if " " in text else MIN_IMAGES) <= len(mentions) <= limit
    }
    numbers = [len(texts) for texts in distinct]
    pairs = {text: _agreeing_pairs(mentions, numbers) for text, mentions in kept.items()}
    agreeing = sum(pair[0] for pair in pairs.values())
    mean = agreeing / max(sum(pair[1] for pair in pairs.values()), 1)
    queries = [
        CaptionQuery(
            text, tuple(sorted(mentions)), _completeness(mentions, numbers, pairs[text], mean)
        )
        for text, mentions in kept.items()
    ]
    return sorted(queries, key=lambda query: (-len(query.rows), query.text))


def _agreeing_pairs(mentions: Counter[int], numbers: Sequence[int]) -> tuple[int, int]:
    """Pairs of captions of an image of which both have the words, and of which the first has."""
    both = sum(count * (count - 1) for count in mentions.values())
    return both, sum(count * (numbers[row] - 1) for row, count in mentions.items())


def _completeness(
    mentions: Counter[int], numbers: Sequence[int], pairs: tuple[int, int], mean: float
) -> float:
    """The chance that any caption of a relevant image has the words.

    As in capture and recapture (Lincoln 1930), one caption finds a share of the images that another
    one has found; captions are taken to mention things independently of each other.
    """
    both, first = pairs
    if not first:
        return SINGLE_COMPLETENESS
    rate = (both + PRIOR_PAIRS * mean) / (first + PRIOR_PAIRS)
    captions = sum(numbers[row] for row in mentions) / len(mentions)
    return float(max(LEAST_COMPLETENESS, 1 - (1 - rate) ** captions))


def _phrases(caption: str) -> Iterator[str]:
    """Yield the words of a caption in lower case, pairs of them, and linked ones: "man in hat"."""
    for part in re.split(r"[.,;:!?]", caption):
        words = [_singular(word) for word in _WORD.findall(part)]
        for word, second, third in zip(words, [*words[1:], ""], [*words[2:], "", ""], strict=False):
            if not _is_content(word):
                continue
            yield word
            if _is_content(second):
                yield f"{word} {second}"
            elif second in LINKS and _is_content(third):
                yield f"{word} {second} {third}"


def _is_content(word: str) -> bool:
    return len(word) > 2 and word not in STOP_WORDS


def _singular(word: str) -> str:
    """An English word without its plural ending; a guess, which is the same for all captions."""
    if len(word) < 4 or not word.endswith("s") or _UNCHANGED.search(word):
        return word
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending):
            return word.removesuffix(ending) + singular
    return word[:-1]
