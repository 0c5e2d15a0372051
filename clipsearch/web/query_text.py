"""The command line's syntax of terms in one text, without a look at any file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from clipsearch.errors import UsageError, shorten
from clipsearch.images.formats import SUFFIXES
from clipsearch.web.schemas import QUERY_IMAGE_ID

_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?')
_WEIGHT = re.compile(r"(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?):(?=\D)(?=\S)", re.IGNORECASE)
_LINK = re.compile(r"[a-z][a-z0-9+.-]+:/|data:image/", re.IGNORECASE)
_ID = re.compile(r"id:[0-9a-f]{6,32}", re.IGNORECASE)
_QUERY_IMAGE = re.compile(r"image:(q_.*)", re.DOTALL)
_PATH_STARTS = ("./", "../", "/", "~/", ".\\", "..\\")


@dataclass(frozen=True, slots=True)
class TextTerm:
    """One term: `kind` says what `content` is, and is a field of a term of `POST /v1/search`."""

    kind: str
    content: str
    weight: float


def parse_query_text(text: str) -> list[TextTerm]:
    """Parse `house + 2:garden - id:1f00c0` into terms; a text may stand in double quotes.

    Raises UsageError on a path or a URL, and if an operator has no term.
    """
    terms: list[TextTerm] = []
    words: list[str] = []
    sign, weight = 1.0, 1.0
    operator = ""  # the last word, if it was one

    def close_text() -> None:
        nonlocal sign
        if words:
            terms.append(TextTerm("text", " ".join(words), sign * weight))
            words.clear()
            sign = 1.0

    for match in _WORD.finditer(text):
        word = match[0]
        if word in ("+", "-"):
            if operator:
                raise UsageError(f"'{word}' follows another operator: a term must stand between")
            close_text()
            sign, operator = (1.0 if word == "+" else -1.0), word
            continue
        operator = ""
        prefix = _WEIGHT.match(word)
        factor, bare = (float(prefix[1]), word[prefix.end() :]) if prefix else (1.0, word)
        if image := _as_image(bare):
            close_text()
            terms.append(TextTerm(*image, sign * factor))
            sign = 1.0
        elif words:
            words.append(_unquote(word))
        else:
            weight = factor
            words.append(_unquote(bare))
    if operator:
        raise UsageError(f"the query ends with '{operator}': a term must follow")
    close_text()
    return terms


def format_query_text(terms: Sequence[TextTerm]) -> str:
    """Return a text that `parse_query_text` parses into these terms."""
    parts: list[str] = []
    for term in terms:
        sign = "- " if term.weight < 0 else "+ " if parts else ""
        size = abs(term.weight)
        weight = "" if size == 1 else f"{size!r}:"
        parts.append(f"{sign}{weight}{_quote(term)}")
    return " ".join(parts)


def _quote(term: TextTerm) -> str:
    if term.kind != "text":
        return f"{term.kind}:{term.content}"
    escaped = term.content.replace("\\", "\\\\").replace('"', '\\"')
    plain = re.fullmatch(r"[^\W\d][\w ]*", term.content) and not term.content.endswith(" ")
    return term.content if plain and "  " not in term.content else f'"{escaped}"'


def _unquote(word: str) -> str:
    return _QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1]), word)


def _as_image(word: str) -> tuple[str, str] | None:
    """Return the kind and id of an image; raise UsageError on a path or a URL."""
    if '"' in word:
        return None
    if _ID.fullmatch(word):
        return "id", word[3:].lower()
    if match := _QUERY_IMAGE.fullmatch(word):
        if not re.fullmatch(QUERY_IMAGE_ID, match[1]):
            raise UsageError(f"{shorten(word)} is not an uploaded query image: add the image again")
        return "image", match[1]
    if _LINK.match(word) or word.startswith(_PATH_STARTS) or _suffix(word) in SUFFIXES:
        raise UsageError(
            f"{shorten(word)} names a file or a URL, which the server does not read: upload the "
            "image, or put a text into double quotes"
        )
    return None


def _suffix(word: str) -> str:
    return PurePath(word).suffix.lower()
