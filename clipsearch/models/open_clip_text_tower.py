"""The text tower of open_clip models: running without padding, saving the tokenizer."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from open_clip import CLIP, SimpleTokenizer
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import HFTokenizer, get_clean_fn
from open_clip.transformer import TextTransformer, text_global_pool

from clipsearch.models.base import TextLoss
from clipsearch.models.export_source import NotExportableError, save_fast_tokenizer
from clipsearch.models.text_loss import encode_by_transformers, find_loss
from clipsearch.models.tokenizers import END, START

Function = Callable[[Any], Any]


def own_length(model: Any, tokenizer: Any) -> Function | None:
    """The text tower as a function of (n, length) token ids, for any sufficient length.

    Returns None if padding changes the result: if the tower attends to it (SigLIP, MobileCLIP), or
    appends a position after it (CoCa).
    """
    text = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if isinstance(text, HFTextEncoder):
        inner = getattr(tokenizer, "tokenizer", None)
        is_same_id = getattr(inner, "pad_token_id", None) == text.config.pad_token_id
        is_masked = is_same_id and getattr(inner, "padding_side", "right") == "right"
        return model.encode_text if is_masked else None
    if not isinstance(text, CLIP | TextTransformer):
        return None
    pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", None)
    is_causal = text.attn_mask is not None and getattr(text, "cls_emb", None) is None
    return _causal(text, pool) if is_causal and pool in ("first", "argmax", "eos") else None


def _causal(text: Any, pool: str) -> Function:
    """CLIP's text tower with as many positions as its input has.

    Attention is causal: tokens after the end of a text do not change its last token.
    """
    end = getattr(text, "text_eos_id", None) or getattr(text, "eos_id", None)
    project = text.text_projection

    def encode(ids: Any) -> Any:
        length = ids.shape[1]
        x = text.token_embedding(ids) + text.positional_embedding[:length]
        x = text.transformer(x, attn_mask=text.attn_mask[:length, :length])
        x = text_global_pool(text.ln_final(x), ids, pool, eos_token_id=end)
        if project is None:
            return x
        return project(x) if callable(project) else x @ project

    return encode


def padding_of(tokenizer: Any) -> int:
    """The token id that pads texts."""
    inner = getattr(tokenizer, "tokenizer", None)
    return 0 if inner is None else int(inner.pad_token_id)


def text_losses(tokenizer: Any, texts: Sequence[str]) -> list[TextLoss | None]:
    """What a tokenizer of open_clip ignores of each text; nothing for an unknown class."""
    if isinstance(tokenizer, SimpleTokenizer):

        def encode(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text)
            return ids

        special, unknown = 2, None
    elif isinstance(tokenizer, HFTokenizer):
        inner = tokenizer.tokenizer
        special, unknown = inner.num_special_tokens_to_add(), inner.unk_token_id

        def encode(text: str) -> list[int]:
            return encode_by_transformers(inner, tokenizer.clean_fn(text))
    else:
        return [None] * len(texts)
    limit = tokenizer.context_length - special
    return [find_loss(text, encode, limit=limit, unknown=unknown) for text in texts]


def save_tokenizer(tokenizer: Any, folder: Path) -> Mapping[str, Any]:
    """Write a tokenizer's tables and return the fields for `tokenizers.open_tokenizer`.

    Raises NotExportableError if the tokenizer is of an unknown kind.
    """
    kinds = ("lower", "whitespace", "canonicalize")
    cleaning = next(
        (k for k in kinds if get_clean_fn(k) is getattr(tokenizer, "clean_fn", 0)), None
    )
    if cleaning is None:
        raise NotExportableError(
            f"its tokenizer ({type(tokenizer).__name__}) cleans texts in an unknown way"
        )
    if isinstance(tokenizer, SimpleTokenizer):
        return _save_byte_pairs(tokenizer, folder, cleaning)
    inner = tokenizer.tokenizer
    if not isinstance(tokenizer, HFTokenizer) or tokenizer.tokenizer_mode:
        raise NotExportableError("its tokenizer has an unknown mode")
    zeroed = inner.sep_token_id if tokenizer.strip_sep_token else None
    return save_fast_tokenizer(inner, folder, tokenizer.context_length) | {
        "cleaning": cleaning,
        "zeroed": zeroed,
    }


def _save_byte_pairs(tokenizer: Any, folder: Path, cleaning: str) -> Mapping[str, Any]:
    if tokenizer.reduction_fn is not None:
        raise NotExportableError("its tokenizer drops words at random")
    ranks: Mapping[tuple[str, str], int] = tokenizer.bpe_ranks
    merges = [" ".join(pair) for pair in sorted(ranks, key=ranks.__getitem__)]
    (folder / "merges.json").write_text(json.dumps(merges, ensure_ascii=False), encoding="utf-8")
    ids: Mapping[str, int] = tokenizer.encoder
    first = len(ids) - len(tokenizer.all_special_ids)
    special = [piece for piece, number in ids.items() if number >= first]
    if special[:2] != [START, END]:
        raise NotExportableError("its tokenizer has unknown start and end tokens")
    return {
        "kind": "bytes",
        "cleaning": cleaning,
        "context": tokenizer.context_length,
        "special": special,
    }
