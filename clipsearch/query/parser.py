"""The terms of a query, and their syntax on the command line."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_file
from clipsearch.images.formats import SUFFIXES

if TYPE_CHECKING:
    from PIL.Image import Image

# Includes nan and inf, so that they are rejected as weights instead of searched for as texts.
_WEIGHTED = re.compile(
    r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf):(.+)", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of the collection, given by its id or the first six or more characters of it."""

    id: str


Content: TypeAlias = Union[str, Path, "Image", StoredImage]
"""A text, an image file, an image in memory, or an image of the collection."""


def image_content(image: Content) -> Content:
    """Return an image query's content; a str is a file, or `id:…` an image of the collection."""
    if isinstance(image, str):
        return StoredImage(image.removeprefix("id:")) if image.startswith("id:") else Path(image)
    return image


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted part of a query: a text, an image file or an image.

    A negative weight favors images that are unlike the term. Raises UsageError if the text is empty
    or the weight is not a finite number.
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
                "\ud800" <= character <= "\udfff" for character in self.content
            ):
                raise UsageError(f"the query text is not valid Unicode: {self.content!r}")


def parse(words: Sequence[str]) -> tuple[Term, ...]:
    """Parse command-line words into terms.

    Consecutive words form one text: `bird on a wire`. A standalone `+` or `-` adds or subtracts the
    next term: `house + ./lake.jpg - people`. `2:dog` gives a term a weight. A word that names an
    image file or begins with `id:` is an image, and always a term of its own. Raises UsageError if
    an operator has no term.
    """
    terms: list[Term] = []
    text: list[str] = []
    sign, weight = 1.0, 1.0
    expects_term = False  # the last word was an operator

    def close_text() -> None:
        nonlocal sign
        if text:
            terms.append(Term(" ".join(text), sign * weight))
            text.clear()
            sign = 1.0

    for word in words:
        if word in ("+", "-"):
            if expects_term:
                raise UsageError(f"'{word}' follows another operator: a term must stand between")
            close_text()
            sign, expects_term = (1.0 if word == "+" else -1.0), True
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
        expects_term = False
    if expects_term:
        raise UsageError(f"the query ends with '{words[-1]}': a term must follow")
    close_text()
    return tuple(terms)


def split_weight(word: str) -> tuple[float, str]:
    """Split `2:lake.jpg` into (2.0, "lake.jpg").

    Returns (1.0, word) if there is no weight, or if a file has the name `word`.
    """
    match = None if is_file(Path(word)) else _WEIGHTED.fullmatch(word)
    return (float(match[1]), match[2]) if match else (1.0, word)


def as_image(name: str) -> Path | StoredImage:
    """The image that a path or `id:…` names."""
    if name.startswith("id:"):
        return StoredImage(name.removeprefix("id:"))
    return expand_user(Path(name))


def _looks_like_image(name: str) -> bool:
    """Whether a word names an image; also if it is missing, since `./laek.jpg` is not a text."""
    if name.startswith(("id:", "./", "../", "/", "~/", ".\\", "..\\")):
        return True
    # An image suffix is required: a folder or file called "dog" must not capture the text "dog".
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and (" " not in name or is_file(path))


def _weighted_text(word: str) -> tuple[float, str]:
    match = _WEIGHTED.fullmatch(word)
    # "16:9" is a text: a digit after the colon means that this is not a weight.
    if match and not re.match(r"[\d\s]", match[2]):
        return float(match[1]), match[2]
    return 1.0, word
