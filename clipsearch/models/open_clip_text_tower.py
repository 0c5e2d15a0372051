"""The text side of open_clip's models: towers that run at a text's own length, and tokenizers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from open_clip import CLIP, SimpleTokenizer
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import HFTokenizer, get_clean_fn
from open_clip.transformer import TextTransformer, text_global_pool

from clipsearch.models.export_source import NotExportableError, save_fast_tokenizer
from clipsearch.models.tokenizers import END, START

Function = Callable[[Any], Any]


def own_length(model: Any, tokenizer: Any) -> Function | None:
    """The text tower as a function of (n, length) token numbers for any length that holds them.

    None where padding changes the result: where it is attended to (SigLIP, MobileCLIP), and where a
    last position is appended to it (CoCa).
    """
    text = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if isinstance(text, HFTextEncoder):
        inner = getattr(tokenizer, "tokenizer", None)
        same = getattr(inner, "pad_token_id", None) == text.config.pad_token_id
        masked = same and getattr(inner, "padding_side", "right") == "right"
        return model.encode_text if masked else None
    if not isinstance(text, CLIP | TextTransformer):
        return None
    pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", None)
    causal = text.attn_mask is not None and getattr(text, "cls_emb", None) is None
    return _causal(text, pool) if causal and pool in ("first", "argmax", "eos") else None


def _causal(text: Any, pool: str) -> Function:
    """CLIP's text tower with no more positions than its input has.

    Attention looks only back, so that what follows a text's end cannot change what it ends with.
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
    """The number that fills a row of token numbers."""
    inner = getattr(tokenizer, "tokenizer", None)
    return 0 if inner is None else int(inner.pad_token_id)


def save_tokenizer(tokenizer: Any, folder: Path) -> Mapping[str, Any]:
    """Write a tokenizer's tables and say how to read them; raises NotExportableError."""
    kinds = ("lower", "whitespace", "canonicalize")
    cleaning = next(
        (k for k in kinds if get_clean_fn(k) is getattr(tokenizer, "clean_fn", 0)), None
    )
    if cleaning is None:
        raise NotExportableError(
            f"its tokenizer ({type(tokenizer).__name__}) cleans in its own way"
        )
    if isinstance(tokenizer, SimpleTokenizer):
        return _save_byte_pairs(tokenizer, folder, cleaning)
    inner = tokenizer.tokenizer
    if not isinstance(tokenizer, HFTokenizer) or tokenizer.tokenizer_mode:
        raise NotExportableError("its tokenizer works in a way of its own")
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
    numbers: Mapping[str, int] = tokenizer.encoder
    first = len(numbers) - len(tokenizer.all_special_ids)
    special = [piece for piece, number in numbers.items() if number >= first]
    if special[:2] != [START, END]:
        raise NotExportableError("its tokenizer begins and ends texts in its own way")
    return {
        "kind": "bytes",
        "cleaning": cleaning,
        "context": tokenizer.context_length,
        "special": special,
    }
