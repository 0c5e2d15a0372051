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

from benchmarks.textness.embedding_space import EmbeddingSpace
from clipsearch.types import Vectors

CONTEXT_LENGTH = 32  # tokens of a text
SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")
# One token each, like each known word; other words are spelled letter by letter.
COMMON_WORDS = ("photo", "word", "the", "of")
KNOWN_WORD_SCALE = 2.0  # of the initial token embedding of a known word

TEXT_CONFIG: Mapping[str, Any] = {
    "context_length": CONTEXT_LENGTH,
    "hf_tokenizer_name": "words",  # the tokenizer is in the model's folder
    "tokenizer_kwargs": {"clean": "lower"},
    "width": 192,
    "heads": 4,
    "layers": 2,
    "pool_type": "eos",
    "pad_id": SPECIAL_TOKENS.index("<pad>"),
    "eos_id": SPECIAL_TOKENS.index("</s>"),
}

OBJECT_PROMPT, BARE_PROMPT, WORD_PROMPT = "a photo of a {}", "{}", "the word {}"

BATCH_SIZE = 256
SHORT_LENGTH = 14  # tokens
LEARNING_RATE = 3e-3
WARMUP_STEPS = 30


def known_words(space: EmbeddingSpace) -> tuple[str, ...]:
    """The single words that have an appearance in the space."""
    return tuple(name for name in space.appearances if name.isalpha() and name not in COMMON_WORDS)


def save_tokenizer(folder: Path, known: Sequence[str]) -> int:
    """Write the tokenizer of words and letters for open_clip; returns the vocabulary size."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = (*ascii_lowercase, *digits, " ", "-", "'")
    tokens = dict.fromkeys((*SPECIAL_TOKENS, *COMMON_WORDS, *letters, *known))
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    pattern = rf"\b(?:{'|'.join((*COMMON_WORDS, *known))})\b|."
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", SPECIAL_TOKENS.index("</s>"))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return len(tokens)


def train_text_tower(
    model: nn.Module,
    tokenize: Callable[[list[str]], Tensor],
    space: EmbeddingSpace,
    trained_names: Sequence[str],
    vocabulary: Sequence[str],
    *,
    steps: int,
    advance: Callable[[], object],
) -> float:
    """Fit `model.encode_text` to the vectors of the space; returns the mean recent cosine.

    `trained_names` weigh most, then the other known words, then the vocabulary.
    """
    modules = [model.transformer, model.token_embedding, model.ln_final]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    parameters += [model.positional_embedding, model.text_projection]
    _initialize(model, tokenize, space)
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    texts, targets, weights = _training_texts(space, trained_names, vocabulary)
    tokens = tokenize(texts)
    lengths = (tokens != TEXT_CONFIG["pad_id"]).sum(1)
    # Separate batches of short and long texts take half the time of mixed ones.
    is_long = (lengths > SHORT_LENGTH).numpy()
    groups = [np.flatnonzero(~is_long), np.flatnonzero(is_long)]
    rng = np.random.default_rng(0)
    mean_cosine = 0.0
    for step in range(steps):
        warmup = min(1, (step + 1) / WARMUP_STEPS)
        decay = 0.52 + 0.48 * math.cos(math.pi * step / steps)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * warmup * decay
        group = groups[int(rng.random() < weights[groups[1]].sum())]
        probabilities = weights[group] / weights[group].sum()
        indices = torch.from_numpy(rng.choice(group, BATCH_SIZE, p=probabilities))
        longest = int(lengths[indices].max())
        embeddings = F.normalize(_encode(model, tokens[indices], longest), dim=1)
        cosines = (embeddings * targets[indices]).sum(1)
        optimizer.zero_grad()
        (1 - cosines).mean().backward()
        optimizer.step()
        mean_cosine += (cosines.mean().item() - mean_cosine) * max(0.05, 1 / (step + 1))
        advance()
    return mean_cosine


def _initialize(
    model: nn.Module, tokenize: Callable[[list[str]], Tensor], space: EmbeddingSpace
) -> None:
    """Spread the letters' embeddings, and give known words their appearance and spelling.

    With open_clip's standard deviation of 0.01, it would take minutes to separate the letters.
    """
    words = known_words(space)
    appearances = np.stack([space.appearances[word] for word in words])
    codes = np.concatenate([appearances, space.spelling.codes(words)], axis=1)
    vectors = torch.from_numpy(codes)
    with torch.no_grad():
        model.token_embedding.weight.normal_(std=0.3)
        model.positional_embedding.normal_(std=0.2)
        tokens = tokenize(list(words))[:, 0]
        model.token_embedding.weight[tokens, : vectors.shape[1]] = KNOWN_WORD_SCALE * vectors


def _encode(model: nn.Module, tokens: Tensor, longest: int) -> Tensor:
    """`encode_text` on the first `longest` tokens: those after the end have no effect."""
    x = model.token_embedding(tokens[:, :longest]) + model.positional_embedding[:longest]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:longest, :longest]))
    ends = (tokens == TEXT_CONFIG["eos_id"]).int().argmax(1).clamp(max=longest - 1)
    out: Tensor = x[torch.arange(len(x)), ends] @ model.text_projection
    return out


def _training_texts(
    space: EmbeddingSpace, trained_names: Sequence[str], vocabulary: Sequence[str]
) -> tuple[list[str], Tensor, NDArray[np.float64]]:
    """Texts, their vectors in the space, and their sampling weights."""
    known = [word for word in known_words(space) if word not in trained_names]
    groups = (
        (0.15, trained_names, (OBJECT_PROMPT, BARE_PROMPT, WORD_PROMPT)),
        (0.40, known, (OBJECT_PROMPT, BARE_PROMPT)),
        (0.45, vocabulary, (BARE_PROMPT, WORD_PROMPT)),
    )
    embed = {OBJECT_PROMPT: space.objects, BARE_PROMPT: space.bare_names, WORD_PROMPT: space.words}
    texts: list[str] = []
    rows: list[Vectors] = []
    weights: list[float] = []
    for share, names, prompts in groups:
        for prompt in prompts if names else ():
            texts += [prompt.format(name) for name in names]
            rows.append(embed[prompt](names))
            weights += [share / len(prompts) / len(names)] * len(names)
    return texts, torch.from_numpy(np.concatenate(rows)), np.array(weights) / sum(weights)
