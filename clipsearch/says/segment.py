"""Texts in memory, in which words are found in a millisecond: an inverted index with positions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clipsearch.says.confusions import variants
from clipsearch.says.match import (
    ORDER_WEIGHT,
    Match,
    code_quality,
    encode_match,
    joined,
    splits,
)
from clipsearch.says.matcher import compare
from clipsearch.says.parser import Part
from clipsearch.says.tokens import Token, find_tokens
from clipsearch.says.vocabulary import Ids, build_vocabulary

S = TypeVar("S", bound=np.generic)

Codes = NDArray[np.uint8]
"""The best match of a part of a query in each text, as by `encode_match`; 0 for none."""

MAX_TEXTS = 16_384
"""Texts of one segment: their numbers fit into 16 bits."""

_NO_PLACES = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.uint8)
_QUALITY = np.array([code_quality(code) for code in range(2 * Match.WORD + 2)])
_SIMILAR = encode_match(Match.SIMILAR, is_exact=False)
_SPLIT = encode_match(Match.SPLIT, is_exact=False)


class Segment:
    """The tokens of up to MAX_TEXTS texts. It finds what `matcher` finds in each of them.

    A place is the number of a token among those of all texts; one number between two texts is not
    used, so that no phrase spans them.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Index texts in search form."""
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        found: list[int] = []
        self.lengths = np.zeros(len(texts), dtype=np.int32)
        """The number of tokens of each text."""
        for number, text in enumerate(texts):
            tokens = find_tokens(text)
            self.lengths[number] = len(tokens)
            found.extend(map(numbers.__getitem__, tokens))
        self.vocabulary, rank = build_vocabulary(list(numbers))
        of_place = rank[np.array(found, dtype=np.intp)]
        by_token = np.argsort(of_place, kind="stable")
        text_of = np.repeat(np.arange(len(texts), dtype=np.int16), self.lengths)
        self._places = (by_token + text_of[by_token]).astype(np.int32)  # by token, then in order
        self._texts = text_of[by_token]
        self._starts = np.searchsorted(of_place[by_token], np.arange(len(numbers) + 1))
        self._text_ends = np.cumsum(self.lengths) + np.arange(len(texts))

    def __len__(self) -> int:
        return len(self.lengths)

    def search(self, parts: Sequence[Part]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the numbers of the texts that have all parts, and the quality of each, 0..1."""
        codes = []
        for part in parts:
            codes.append(self.codes(part))
            if not codes[-1].any():
                return np.empty(0, dtype=np.intp), np.empty(0)
        texts = np.flatnonzero(np.all(codes, axis=0))
        if not texts.size:
            return texts, np.empty(0)
        in_order = np.zeros(len(self), dtype=bool)
        tokens = [token for part in parts for token in part.tokens]
        places, _ = self._sequence(tokens, in_words=True)
        in_order[self._text_at(places)] = True
        mean = sum(_QUALITY[each[texts]] for each in codes) / len(codes)
        qualities = (1 - ORDER_WEIGHT) * mean + ORDER_WEIGHT * in_order[texts]  # `image_quality`
        return texts, np.round(qualities, 6)

    def codes(self, part: Part) -> Codes:
        """Return the best match of a part in each text."""
        codes = np.zeros(len(self), dtype=np.uint8)
        words = [token.plain for token in part.tokens]
        if len(words) == 1:
            if not part.is_quoted:
                self._add_errors(words[0], codes)
            self._add_word(part.tokens[0], codes, is_quoted=part.is_quoted)
            return codes
        if not part.is_quoted and (word := joined(words)):
            self._add(self.vocabulary.equal(word), _SPLIT, codes)
        places, found = self._sequence(part.tokens, in_words=part.is_quoted)
        np.maximum.at(codes, self._text_at(places), found)
        return codes

    def count(self, tokens: Sequence[Token], is_present: NDArray[np.bool_]) -> int:
        """Count the texts that are present and have tokens one after another, as whole words."""
        places, _ = self._sequence(tokens, in_words=True)
        return int(is_present[np.unique(self._text_at(places))].sum())

    def count_places(self, word: str) -> int:
        """Count the places of a word without accents."""
        equal = self.vocabulary.equal(word)
        return int(self._starts[equal.stop] - self._starts[equal.start])

    def _add_errors(self, word: str, codes: Codes) -> None:
        """Note the texts where a reader may have read one word wrongly."""
        for variant in variants(word):
            self._add(self.vocabulary.equal(variant), _SIMILAR, codes)
        for words in splits(word):
            if all(self._has(part) for part in words):
                places, _ = self._sequence([Token(part, part) for part in words], in_words=True)
                codes[self._text_at(places)] = _SPLIT

    def _add_word(self, word: Token, codes: Codes, *, is_quoted: bool) -> None:
        """Note the texts that have a word, or longer ones with it unless it is quoted."""
        kinds = [(Match.WORD, self.vocabulary.equal(word.plain))]
        if not is_quoted and (parts := self.vocabulary.containing(word.plain)).size:
            equal, starting = kinds[0][1], self.vocabulary.starting(word.plain)
            inner = parts[(parts < starting.start) | (parts >= starting.stop)]
            kinds = [
                (Match.INFIX, inner),
                (Match.PREFIX, slice(equal.stop, starting.stop)),
                *kinds,
            ]
        for match, ids in kinds:
            exact = self._exact_ids(word, match, ids)
            self._add(ids, encode_match(match, is_exact=False), codes)
            self._add(exact, encode_match(match, is_exact=True), codes)

    def _exact_ids(self, word: Token, match: Match, ids: Ids | slice) -> Ids | slice:
        """Return those of some tokens that match a word in the same way with its accents."""
        numbers = np.arange(ids.start, ids.stop) if isinstance(ids, slice) else ids
        accented = np.intersect1d(numbers, self.vocabulary.accented, assume_unique=True)
        exact = self.vocabulary.exact
        same = [n for n in accented if compare([word.exact], [exact(n)]) == match]
        if word.exact != word.plain:
            return np.array(same, dtype=np.intp)
        if not accented.size:
            return ids
        return np.union1d(np.setdiff1d(numbers, accented), np.array(same, dtype=np.intp))

    def _add(self, ids: Ids | slice, code: int, codes: Codes) -> None:
        """Note a better match in all texts with some tokens."""
        codes[self._gather(self._texts, ids)] = code

    def _has(self, word: str) -> bool:
        return self.count_places(word) > 0

    def _sequence(
        self, tokens: Sequence[Token], *, in_words: bool
    ) -> tuple[NDArray[np.int32], Codes]:
        """Return the places where some tokens follow each other, and how they match.

        If `in_words` the first and the last one are whole words.
        """
        last = len(tokens) - 1
        places, matches, is_exact = _NO_PLACES[0], _NO_PLACES[1], np.empty(0, dtype=bool)
        for number, token in enumerate(tokens):
            ids: Ids | slice = self.vocabulary.equal(token.plain)
            if not in_words and number in (0, last) and last:
                ids = self._open(token, is_first=number == 0)
            there, kinds, exact = self._places_of(token, ids, is_first=number == 0)
            if not there.size:
                return _NO_PLACES
            there = there - number
            if not number:
                places, matches, is_exact = there, kinds, exact
                continue
            _, here, other = np.intersect1d(places, there, assume_unique=True, return_indices=True)
            places = places[here]
            matches = np.minimum(matches[here], kinds[other])
            is_exact = is_exact[here] & exact[other]
        return places, (2 * matches + is_exact).astype(np.uint8)

    def _open(self, token: Token, *, is_first: bool) -> Ids | slice:
        """Return the tokens that end with the first one of a word, or start with the last one."""
        find: Callable[[str], Ids | slice] = (
            self.vocabulary.ending if is_first else self.vocabulary.starting
        )
        return find(token.plain)

    def _places_of(
        self, token: Token, ids: Ids | slice, *, is_first: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the places of tokens in order, with their match and whether that is exact."""
        numbers = np.arange(ids.start, ids.stop) if isinstance(ids, slice) else ids
        equal = self.vocabulary.equal(token.plain)
        is_whole = (numbers >= equal.start) & (numbers < equal.stop)
        part = Match.INFIX if is_first else Match.PREFIX
        kinds = np.where(is_whole, Match.WORD, part).astype(np.uint8)
        exact = np.fromiter(
            (self._is_exact(token, n, is_first=is_first) for n in numbers), bool, len(numbers)
        )
        sizes = self._starts[numbers + 1] - self._starts[numbers]
        places = self._gather(self._places, ids)
        order = np.argsort(places)
        kinds, exact = np.repeat(kinds, sizes)[order], np.repeat(exact, sizes)[order]
        return places[order], kinds, exact

    def _is_exact(self, token: Token, number: int, *, is_first: bool) -> bool:
        exact = self.vocabulary.exact(number)
        if self.vocabulary[number] == token.plain:
            return exact == token.exact
        return exact.endswith(token.exact) if is_first else exact.startswith(token.exact)

    def _text_at(self, places: NDArray[np.int32]) -> NDArray[np.intp]:
        return np.searchsorted(self._text_ends, places, side="right")

    def _gather(self, values: NDArray[S], ids: Ids | slice) -> NDArray[S]:
        """Return the values of all places of some tokens."""
        if isinstance(ids, slice):
            return values[self._starts[ids.start] : self._starts[ids.stop]]
        starts = self._starts[ids]
        sizes = self._starts[ids + 1] - starts
        ends = np.cumsum(sizes)
        shifts = np.repeat(starts - ends + sizes, sizes)
        return values[shifts + np.arange(len(shifts))]
