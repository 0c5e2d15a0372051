"""What a query is made of, and how the command line spells it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL.Image import Image

from clipsearch.errors import UsageError

PICTURE_SUFFIX = re.compile(
    r"\.(jpe?g|png|webp|gif|bmp|tiff?|p[pgbn]m|jp2|j2k|jpx|hei[cf]|avif)$", re.IGNORECASE
)
# "16:9" is a text, "2:dog" a weight: what follows the colon must not go on with a number.
WEIGHTED = re.compile(r"(?P<weight>\d+\.?\d*|\.\d+):(?P<content>[^\d\s].*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A picture of the collection, named by its id or the first six or more letters of it."""

    id: str


Content: TypeAlias = str | Path | Image | Indexed


@dataclass(frozen=True, slots=True)
class Term:
    """A text (str), a picture file (Path), a picture in memory or one of the collection; weighted.

    A negative weight asks for pictures that are unlike the term. Raises UsageError on an empty text
    and on a weight that is not a finite number.
    """

    content: Content
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise UsageError(f"a weight must be a finite number, not {self.weight}")
        if isinstance(self.content, str) and not self.content.strip():
            raise UsageError("the query text is empty")


def parse(words: Sequence[str]) -> tuple[Term, ...]:
    """Terms from the words of a command line.

    Words in a row are one text: `bird on a wire`. `+` and `-`, standing alone, add and subtract
    terms: `house + ./lake.jpg - people`. `2:dog` weighs a term. A word that names a picture file
    or begins with `id:` is a picture.
    """
    terms: list[Term] = []
    text: list[str] = []
    sign, weight = 1.0, 1.0
    expecting = False  # an operator that still wants its term

    def close_text() -> None:
        if text:
            terms.append(Term(" ".join(text), sign * weight))
            text.clear()

    for word in words:
        if word in ("+", "-"):
            if expecting:
                raise UsageError(f"'{word}' follows another operator: a term must stand between")
            close_text()
            sign, weight, expecting = (1.0 if word == "+" else -1.0), 1.0, True
            continue
        factor, content = weighted(word) if not text else (1.0, word)
        if picture := as_picture(content):
            close_text()
            terms.append(Term(picture, sign * factor))
            sign, weight = 1.0, 1.0
        else:
            if not text:
                weight = factor
            text.append(content)
        expecting = False
    if expecting:
        raise UsageError(f"the query ends with '{words[-1]}': a term must follow")
    close_text()
    return tuple(terms)


def weighted(word: str) -> tuple[float, str]:
    """`2:dog` as (2.0, "dog"); a word without a weight as (1.0, word)."""
    match = WEIGHTED.fullmatch(word)
    return (float(match["weight"]), match["content"]) if match else (1.0, word)


def as_picture(word: str) -> Path | Indexed | None:
    """The picture that a word names, or None where it is text.

    A word that looks like a path is one, so that a mistyped `./lake.jpg` is an error and not a
    search for that text.
    """
    if word.startswith("id:"):
        return Indexed(word.removeprefix("id:"))
    looks_like_path = word.startswith(("./", "../", "/", "~/", ".\\", "..\\"))
    if (
        looks_like_path
        or (PICTURE_SUFFIX.search(word) and " " not in word)
        or _is_picture_file(word)
    ):
        return Path(word).expanduser()
    return None


def _is_picture_file(word: str) -> bool:
    # Only with a picture's suffix: a folder or file called "dog" must not capture the text "dog".
    return bool(PICTURE_SUFFIX.search(word)) and Path(word).is_file()
