"""What a query is made of, and how the command line spells it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL.Image import Image

from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_file
from clipsearch.images.formats import SUFFIXES

# nan and inf too: they are to be refused, not searched for.
_WEIGHTED = re.compile(
    r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf):(.+)", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture of the collection, named by its id or the first six or more letters of it."""

    id: str


Content: TypeAlias = str | Path | Image | StoredImage


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
        if isinstance(self.content, str):
            if not self.content.strip():
                raise UsageError("the query text is empty")
            if not self.content.isascii() and any(
                "\ud800" <= letter <= "\udfff" for letter in self.content
            ):
                raise UsageError(f"the query text is not valid Unicode: {self.content!r}")


def parse(words: Sequence[str]) -> tuple[Term, ...]:
    """Terms from the words of a command line.

    Words in a row are one text: `bird on a wire`. `+` and `-`, standing alone, add and subtract
    terms: `house + ./lake.jpg - people`. `2:dog` weighs a term. A word that names a picture file
    or begins with `id:` is a picture, always a term of its own.
    """
    terms: list[Term] = []
    text: list[str] = []
    sign, weight = 1.0, 1.0
    expecting = False  # an operator that still wants its term

    def close_text() -> None:
        nonlocal sign
        if text:
            terms.append(Term(" ".join(text), sign * weight))
            text.clear()
            sign = 1.0

    for word in words:
        if word in ("+", "-"):
            if expecting:
                raise UsageError(f"'{word}' follows another operator: a term must stand between")
            close_text()
            sign, expecting = (1.0 if word == "+" else -1.0), True
            continue
        factor, name = split_weight(word)
        if _looks_like_image(name):
            close_text()
            terms.append(Term(as_image(name), sign * factor))
            sign = 1.0
        elif text:
            text.append(word)
        else:
            weight, content = _weighted_text(word)
            text.append(content)
        expecting = False
    if expecting:
        raise UsageError(f"the query ends with '{words[-1]}': a term must follow")
    close_text()
    return tuple(terms)


def split_weight(word: str) -> tuple[float, str]:
    """`2:lake.jpg` as (2.0, "lake.jpg"); (1.0, word) without a weight, or where a file has that name."""
    match = None if is_file(Path(word)) else _WEIGHTED.fullmatch(word)
    return (float(match[1]), match[2]) if match else (1.0, word)


def as_image(name: str) -> Path | StoredImage:
    """The picture that a path or `id:…` names."""
    if name.startswith("id:"):
        return StoredImage(name.removeprefix("id:"))
    return expand_user(Path(name))


def _looks_like_image(name: str) -> bool:
    """Whether a word names a picture, there or not: a mistyped `./lake.jpg` is no text to search for."""
    if name.startswith(("id:", "./", "../", "/", "~/", ".\\", "..\\")):
        return True
    # Only with a picture's suffix: a folder or file called "dog" must not capture the text "dog".
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and (" " not in name or is_file(path))


def _weighted_text(word: str) -> tuple[float, str]:
    match = _WEIGHTED.fullmatch(word)
    # "16:9" is a text: what follows a weight must not go on with a number.
    if match and not re.match(r"[\d\s]", match[2]):
        return float(match[1]), match[2]
    return 1.0, word
