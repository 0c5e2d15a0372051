"""The reading model's text tower: a small transformer over letters, fitted to the space."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from benchmarks.textness.embedding_space import Space
from clipsearch.types import Vectors

LENGTH = 32  # tokens of a text
SPECIAL = ("<pad>", "</s>", "<unk>")
COMMON = ("photo", "word", "the", "of")  # one token each, as is each known word; others are spelt
STRENGTH = 2.0  # of what a known word's token tells at the beginning

TEXT: Mapping[str, Any] = {
    "context_length": LENGTH,
    "hf_tokenizer_name": "words",  # the tokenizer lies in the model's own folder
    "tokenizer_kwargs": {"clean": "lower"},
    "width": 192,
    "heads": 4,
    "layers": 2,
    "pool_type": "eos",
    "pad_id": SPECIAL.index("<pad>"),
    "eos_id": SPECIAL.index("</s>"),
}

PHOTO, BARE, WORD = "a photo of a {}", "{}", "the word {}"

BATCH = 256
SHORT = 14  # tokens
RATE = 3e-3
WARM = 30  # steps until the full rate


def known_words(space: Space) -> tuple[str, ...]:
    """Single words whose looks the space knows."""
    return tuple(name for name in space.looks if name.isalpha() and name not in COMMON)


def save_tokenizer(folder: Path, known: Sequence[str]) -> int:
    """Write the tokenizer of words and letters as open_clip finds it; the number of its tokens."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = (*ascii_lowercase, *digits, " ", "-", "'")
    entries = dict.fromkeys((*SPECIAL, *COMMON, *letters, *known))
    tokenizer = Tokenizer(
        models.WordLevel({entry: place for place, entry in enumerate(entries)}, unk_token="<unk>")
    )
    pattern = rf"\b(?:{'|'.join((*COMMON, *known))})\b|."
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", SPECIAL.index("</s>"))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return len(entries)


def fit_texts(
    model: nn.Module,
    tokenize: Callable[[list[str]], Tensor],
    space: Space,
    taught: Sequence[str],
    vocabulary: Sequence[str],
    *,
    steps: int,
    advance: Callable[[], object],
) -> float:
    """Teach `model.encode_text` where texts lie in the space; the mean cosine of the last steps.

    `taught` are the names that count most; then come what else the space knows, and words.
    """
    text_parts = [
        model.transformer,
        model.token_embedding,
        model.ln_final,
    ]
    parameters = [parameter for part in text_parts for parameter in part.parameters()]
    parameters += [model.positional_embedding, model.text_projection]
    _begin(model, tokenize, space)
    optimizer = torch.optim.AdamW(parameters, RATE, betas=(0.9, 0.98), weight_decay=0.01)
    texts, targets, weights = _lessons(space, taught, vocabulary)
    tokens = tokenize(texts)
    lengths = (tokens != TEXT["pad_id"]).sum(1)
    # Batches of short texts, and of long ones: half the work of mixed ones.
    groups = [np.flatnonzero((lengths > SHORT).numpy() == longer) for longer in (False, True)]
    rng = np.random.default_rng(0)
    cosine = 0.0
    for step in range(steps):
        rate = RATE * min(1, (step + 1) / WARM) * (0.52 + 0.48 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = rate
        group = groups[int(rng.random() < weights[groups[1]].sum())]
        chances = weights[group] / weights[group].sum()
        places = torch.from_numpy(rng.choice(group, BATCH, p=chances))
        longest = int(lengths[places].max())
        found = F.normalize(_encode(model, tokens[places], longest), dim=1)
        cosines = (found * targets[places]).sum(1)
        optimizer.zero_grad()
        (1 - cosines).mean().backward()
        optimizer.step()
        cosine += (cosines.mean().item() - cosine) * max(0.05, 1 / (step + 1))
        advance()
    return cosine


def _begin(model: nn.Module, tokenize: Callable[[list[str]], Tensor], space: Space) -> None:
    """Letters that differ, and known words that tell their looks and spelling, as word vectors do.

    At the library's own 0.01 it would take minutes to tell the letters apart.
    """
    words = known_words(space)
    looks = np.stack([space.looks[word] for word in words])
    told = torch.from_numpy(np.concatenate([looks, space.spelling.codes(words)], axis=1))
    with torch.no_grad():
        model.token_embedding.weight.normal_(std=0.3)
        model.positional_embedding.normal_(std=0.2)
        places = tokenize(list(words))[:, 0]
        model.token_embedding.weight[places, : told.shape[1]] = STRENGTH * told


def _encode(model: nn.Module, tokens: Tensor, longest: int) -> Tensor:
    """`encode_text` on the first tokens only: what follows the end of a text changes nothing."""
    x = model.token_embedding(tokens[:, :longest]) + model.positional_embedding[:longest]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:longest, :longest]))
    ends = (tokens == TEXT["eos_id"]).int().argmax(1).clamp(max=longest - 1)
    out: Tensor = x[torch.arange(len(x)), ends] @ model.text_projection
    return out


def _lessons(
    space: Space, taught: Sequence[str], vocabulary: Sequence[str]
) -> tuple[list[str], Tensor, NDArray[np.float64]]:
    """Texts, their places in the space, and how often each is told."""
    known = [word for word in known_words(space) if word not in taught]
    groups = (
        (0.15, taught, (PHOTO, BARE, WORD)),
        (0.40, known, (PHOTO, BARE)),
        (0.45, vocabulary, (BARE, WORD)),
    )
    place = {PHOTO: space.photos, BARE: space.bare, WORD: space.words}
    texts: list[str] = []
    rows: list[Vectors] = []
    weights: list[float] = []
    for share, names, prompts in groups:
        for prompt in prompts if names else ():
            texts += [prompt.format(name) for name in names]
            rows.append(place[prompt](names))
            weights += [share / len(prompts) / len(names)] * len(names)
    return texts, torch.from_numpy(np.concatenate(rows)), np.array(weights) / sum(weights)
