"""The terms of a query, and their syntax on the command line."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from clipsearch import arguments
from clipsearch.errors import UsageError, shorten
from clipsearch.files.paths import expand_user, is_file, is_folder
from clipsearch.images.formats import HEADER_SIZE, SUFFIXES, describe_unknown, sniff
from clipsearch.remote_path import RemotePath, locate

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipsearch.types import Vectors

# Patterns, not compiled: most queries hold no colon, and compiling all of them takes 1 ms.
# This one includes nan and inf, to reject them as weights instead of searching for them as texts.
_WEIGHTED = r"(?is)((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf):(.+)"

_URL = r"(?i)https?://"
_FILE_URL = r"(?i)file:(?://(?:localhost)?)?(?=/)"
_OTHER_URL = r"(?i)(?:[a-z][a-z0-9+.-]+:/|data:image/)\S*"
"""A URL that is not downloaded, or a mistyped one; a single letter is a drive of Windows."""

# "id: card" and "id:card" are texts; "id:1f00cg", a mistyped id, is not.
_ID = r"(?i)id:(?=.)(?:[0-9a-f]*|(?=\D*\d)[0-9a-z]{6,})"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of the collection, given by its id or the first six or more characters of it.

    Without an id, `path` is a file that need not exist: the image stored under this path, or else
    the only one in the collection with this file name.
    """

    id: str = ""
    path: Path | None = None

    def __post_init__(self) -> None:
        arguments.text("id", self.id)
        if self.path is not None:
            object.__setattr__(self, "path", arguments.paths("path", self.path)[0])


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image at an http or https URL."""

    url: str


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedImage:
    """An image of which only the embedding is kept, (d,) float32 of length 1.

    `weights` are those of the model that embedded it; `content_hash` is its file's.
    """

    embedding: "Vectors"
    weights: str
    content_hash: str


Content: TypeAlias = Union[str, Path, "Image", StoredImage, RemoteImage, EmbeddedImage]
"""A text, an image file, an image in memory, of the collection, at a URL, or embedded already."""


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted part of a query: a text, an image file or an image.

    A negative weight favors images that are unlike the term. An image in memory is one of Pillow's,
    the bytes of a file, an open file, or a (height, width[, 1, 3 or 4]) uint8 array. Raises
    UsageError if the text is empty, the content is none of these, or the weight is not a finite
    number.
    """

    content: Content
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", arguments.number("weight", self.weight))
        if isinstance(self.content, str):
            _check_text(self.content)
        elif not isinstance(self.content, Path | StoredImage | RemoteImage | EmbeddedImage):
            from clipsearch.query.image_input import to_image  # late: it needs Pillow

            object.__setattr__(self, "content", to_image(self.content))


def _check_text(text: str) -> None:
    if not text.strip():
        raise UsageError("the query text is empty")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"the query text is not valid Unicode: {text!r}")


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
    if ":" not in word or is_file(Path(word)):
        return (1.0, word)
    match = re.fullmatch(_WEIGHTED, word)
    return (float(match[1]), match[2]) if match else (1.0, word)


def as_image(name: str) -> Path | StoredImage | RemoteImage:
    """The image that a path, a URL or `id:…` names.

    The bare name of a missing file may be that of a stored image. Raises UsageError on other URLs.
    """
    if name[:3].lower() == "id:":
        return StoredImage(name[3:].lower())
    if re.match(_URL, name):
        return RemoteImage(name)
    if match := re.match(_FILE_URL, name):
        from urllib.parse import unquote  # late: hardly any query needs it

        return Path(unquote(name[match.end() :]))
    path = expand_user(locate(name))
    if isinstance(path, RemotePath):
        return path
    if re.fullmatch(_OTHER_URL, name) and not is_file(path):
        raise UsageError(
            f"{shorten(name)}: an image query is a file, or a URL that begins with https://, "
            "http:// or file:///"
        )
    if path.name == name and not is_file(path) and not is_folder(path):
        return StoredImage(path=path)
    return path


def _looks_like_image(name: str) -> bool:
    """Whether a word names an image; also if it is missing, since `./laek.jpg` is not a text.

    Raises UsageError if it names another kind of file, or a folder by its path.
    """
    if ":" in name and (
        any(re.match(form, name) for form in (_URL, _FILE_URL))
        or any(re.fullmatch(form, name) for form in (_ID, _OTHER_URL))
    ):
        return True
    path = expand_user(Path(name))
    if is_file(path):
        # A file called "dog" must not capture the text "dog", but nobody means "notes.txt" as one.
        return bool(path.suffix or _has_folder(name)) and _require_image(name, path)
    if _has_folder(name) and is_folder(path):
        raise UsageError(f"{name} is a folder: --under {name} searches the images in it")
    if name.startswith(("./", "../", "/", "~/", ".\\", "..\\")):
        return True
    return path.suffix.lower() in SUFFIXES and " " not in name


def _has_folder(name: str) -> bool:
    return "/" in name or os.sep in name


def _require_image(name: str, path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True  # decoding it says what is wrong with it
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_SIZE)
    except OSError:
        return True
    if sniff(head) is None:
        raise UsageError(
            f"{shorten(name)} is a file, but not an image that can be read "
            f"({describe_unknown(head)}): give an image, or add a word if you mean a text"
        )
    return True


def _weighted_text(word: str) -> tuple[float, str]:
    match = re.fullmatch(_WEIGHTED, word) if ":" in word else None
    # "16:9" is a text: a digit after the colon means that this is not a weight.
    if match and not re.match(r"[\d\s]", match[2]):
        return float(match[1]), match[2]
    return 1.0, word
