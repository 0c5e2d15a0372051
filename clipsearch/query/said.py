"""What is said beside the hits: texts of a query that images show, and why words are not found."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from clipsearch.query.filters import NO_FILTERS
from clipsearch.query.query import Query
from clipsearch.query.response import Said
from clipsearch.query.says_order import FEW
from clipsearch.query.says_search import parts_of
from clipsearch.records import MAX_RESULTS, Hit
from clipsearch.says.loaded import loaded_text_index, text_index
from clipsearch.says.match import MIN_PART
from clipsearch.says.nearest import nearest_word
from clipsearch.says.parser import Part
from clipsearch.says.text_index import TextIndex
from clipsearch.says.tokens import to_tokens
from clipsearch.store import Collection

READ = "`clipsearch read` reads the texts of images"

MOST_TOKENS = 8
"""Words of a text beyond which it is a description, which no image shows word for word."""

_READABLE = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "DIGIT"})


def find_said(query: Query, collection: Collection) -> list[Said]:
    """Return the texts of a query that images show word for word.

    Only if the texts of the collection are in memory already: that takes less than a millisecond,
    and if they are found as long as it takes to bring the texts up to date.
    """
    index = loaded_text_index(collection.texts)
    if index is None or query.says is not None or query.filters != NO_FILTERS:
        return []
    said = []
    texts = [term.content for term in query.terms if term.weight > 0]
    for text in (content for content in texts if isinstance(content, str)):
        tokens = to_tokens(text)
        if not tokens or len(tokens) > MOST_TOKENS or not index.count(tokens):
            continue
        if images := text_index(collection.texts).count(tokens):  # some may be gone
            said.append(Said(" ".join(text.replace('"', " ").split()), images))
    return said


def says_warnings(query: Query, hits: Sequence[Hit], collection: Collection) -> list[str]:
    """Say if not all images with the words were ranked, or if too few were found to be all.

    Images without signs of text are not read, so that some may always have been missed.
    """
    if query.says is None:
        return []
    if query.terms:
        matches = len(text_index(collection.texts).search(parts_of(query.says)).ids)
        if matches > MAX_RESULTS:
            return [
                f"{matches:,} images show the words, of which the {MAX_RESULTS:,} best matches and "
                f"the {FEW} best scores are ranked: more words show fewer"
            ]
    if len(hits) >= query.limit:
        return []
    read, images = collection.texts.count(), collection.recent_count()
    if not read or read >= images:  # without any, there are no hits, which has a reason
        return []
    return [f"{read:,} of {images:,} images were read: {READ}, with --all of all"]


def says_reasons(query: Query, collection: Collection) -> list[str]:
    """Say why no image shows the words of a query."""
    if query.says is None:
        return []
    index = text_index(collection.texts)
    if not len(index):
        return [f"no image was read yet: {READ}"]
    parts = parts_of(query.says)
    missing = [part for part in parts if not len(index.search([part]).ids)]
    if missing:
        return [reason for part in missing for reason in _missing_reasons(part, index)]
    if len(found := index.search(parts).ids):
        return [f"images that show the words, of all that were read: {len(found):,}"]
    return ["each of the words is in some image, but no image shows all of them"]


def _missing_reasons(part: Part, index: TextIndex) -> Iterator[str]:
    reason = f"no image shows {part.text!r}"
    is_one = len(part.tokens) == 1
    word = part.tokens[0].plain
    if part.is_quoted or (is_one and len(word) < MIN_PART and word.isascii() and word.isalnum()):
        reason += " in whole words"
    if is_one and (nearest := nearest_word(word, index.segments())) and nearest != word:
        reason += f"; the nearest word that one does is {nearest!r}"
    yield reason
    if scripts := sorted(set(map(_script, part.text)) - _READABLE - {""}):
        names = ", ".join(scripts).lower()
        yield f"the built-in reader knows no {names} letters: `clipsearch read --ocr-model`"


def _script(character: str) -> str:
    """Return the script of a letter by its Unicode name, "" for others."""
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "").split(" ")[0]
