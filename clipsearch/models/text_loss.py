"""What a model does not read of a text: unknown words, and what exceeds its context.

Tokenizers encode any text without an error. But all unknown words have the same token, and tokens
beyond the context are cut off, so that different texts get the same embedding.
"""

import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from clipsearch.models.base import TextLoss

log = logging.getLogger("clipsearch")

MAX_NAMED = 3
NAME_LENGTH = 30

HINT = 'for other languages, choose a multilingual model: "clipsearch models" lists some'

Encode = Callable[[str], Sequence[int]]
"""The token ids of a text, without special tokens, not cut and not padded."""


def find_loss(
    text: str, encode: Encode, *, limit: int, unknown: int | None, latin: bool = False
) -> TextLoss | None:
    """What of a text a model with this tokenizer ignores; None if it reads everything.

    `limit` is the number of tokens of a text that it reads, `unknown` the id of the token for
    unknown words. With `latin` it knows no other script, though its tokenizer has single letters.
    """
    ids = encode(text)
    if not ids:
        return TextLoss(unknown=(text.strip(),), limit=limit) if text.strip() else None
    has_unknown = unknown is not None and unknown in ids
    words: tuple[str, ...] = ()
    if has_unknown or (latin and not text.isascii()):
        words = tuple(
            word
            for word in dict.fromkeys(text.split())
            if (has_unknown and unknown in encode(word)) or (latin and not _is_latin(word))
        )
    cut = text[_fitting_length(text, encode, limit) :].strip() if len(ids) > limit else ""
    return TextLoss(words, cut, limit) if words or cut else None


def encode_whole(tokenizer: Any, text: str) -> list[int]:
    """The token ids by a tokenizer of the `tokenizers` library, also beyond its truncation."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    parts = [encoding, *encoding.overflowing]
    return [
        number
        for part in parts
        for number, used in zip(part.ids, part.attention_mask, strict=True)
        if used
    ]


def encode_by_transformers(tokenizer: Any, text: str) -> list[int]:
    """The token ids by a tokenizer of transformers, which warns of long texts unless `verbose`."""
    ids: list[int] = tokenizer(
        text, add_special_tokens=False, truncation=False, padding=False, verbose=False
    )["input_ids"]
    return ids


def text_warnings(encoder: Any, texts: Sequence[str]) -> list[str]:
    """Sentences about what an encoder ignores of some texts; none if it cannot tell.

    An encoder may lack the optional method `text_losses`.
    """
    return text_warnings_of_each(encoder, [texts])[0]


def text_warnings_of_each(encoder: Any, queries: Sequence[Sequence[str]]) -> list[list[str]]:
    """The `text_warnings` of the texts of each query, with one call of the encoder."""
    find = getattr(encoder, "text_losses", None)
    texts = list(dict.fromkeys(text for query in queries for text in query))
    losses = find(texts) if find is not None and texts else None
    loss_of = dict(zip(texts, losses or (), strict=False))
    model = encoder.identity.name
    return [
        list(_sentences(query, [loss_of.get(text) for text in query], model)) for query in queries
    ]


def log_text_losses(encoder: Any, texts: Sequence[str]) -> None:
    """Log a warning for each of `text_warnings`."""
    for warning in text_warnings(encoder, texts):
        log.warning("%s", warning)


def _sentences(
    texts: Sequence[str], losses: Sequence[TextLoss | None], model: str
) -> Iterator[str]:
    found = [loss for loss in losses if loss is not None]
    unknown = list(dict.fromkeys(word for loss in found for word in loss.unknown))
    if unknown:
        names = ", ".join(f'"{_shorten(word)}"' for word in unknown[:MAX_NAMED])
        rest = len(unknown) - MAX_NAMED
        more = f" and {rest:,} more word{'s' * (rest > 1)}" if rest > 0 else ""
        hint = f"; {HINT}" if any(loss.foreign and loss.unknown for loss in found) else ""
        yield (
            f"the model {model} does not know {names}{more}: it embeds all such words alike{hint}"
        )
    foreign = [
        text
        for text, loss in zip(texts, losses, strict=True)
        if loss is not None and loss.foreign and not loss.unknown
    ]
    if foreign:
        names = ", ".join(f'"{_shorten(text)}"' for text in foreign[:MAX_NAMED])
        rest = len(foreign) - MAX_NAMED
        more = f" and {rest:,} more text{'s' * (rest > 1)}" if rest > 0 else ""
        yield (
            f"the model {model} knows English only, and not {names}{more}: check the spelling; "
            f"{HINT}"
        )
    cut = [loss for loss in found if loss.cut]
    if len(cut) == 1:
        yield (
            f"the model {model} reads {cut[0].limit:,} tokens of a text: it ignores everything "
            f'from "{_shorten(cut[0].cut)}" on'
        )
    elif cut:
        yield (
            f"the model {model} reads {cut[0].limit:,} tokens of a text: it ignores the end of "
            f"{len(cut):,} texts"
        )


def _fitting_length(text: str, encode: Encode, limit: int) -> int:
    """The number of characters that fit into `limit` tokens, by bisection."""
    fitting, excess = 0, len(text)
    while excess - fitting > 1:
        middle = (fitting + excess) // 2
        if len(encode(text[:middle])) <= limit:
            fitting = middle
        else:
            excess = middle
    return fitting


def _is_latin(word: str) -> bool:
    """Whether most letters of a word are Latin, with or without accents."""
    letters = [character for character in word if character.isalpha()]
    latin = sum("LATIN" in unicodedata.name(character, "") for character in letters)
    return 2 * latin >= len(letters)


def _shorten(text: str) -> str:
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
