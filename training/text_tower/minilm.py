"""MiniLM-L6, the pretrained text tower, as a plain torch module.

A BERT encoder (Devlin et al. 2018) of six layers and 384 dimensions, distilled (Wang et al. 2020)
and tuned for sentence similarity.
"""
# mypy: allow-subclassing-any

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it


class Attention(nn.Module):
    """Self-attention of BERT; mask (n, 1, 1, length) is added to the scores."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.norm = nn.LayerNorm(dim, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (n, heads, length, dim/heads)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) + mask
        return self.norm(x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2)))


class Layer(nn.Module):
    """One post-norm encoder layer."""

    def __init__(self, dim: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.up, self.down = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return self.norm(x + self.down(F.gelu(self.up(x))))


class MiniLM(nn.Module):
    """Token ids and mask, both (n, length) int64 → mean token vector (n, 384) of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(30522, 384), nn.Embedding(512, 384)
        self.types = nn.Embedding(2, 384)
        self.norm = nn.LayerNorm(384, eps=1e-12)
        self.layers = nn.ModuleList(Layer(384, 12, 1536) for _ in range(6))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return mean_vector(run_layers(self.layers, self.embed_tokens(ids), mask), mask)

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """Return the input of the first layer, (n, length, 384)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        begun: Tensor = self.norm(self.words(ids) + self.positions(places) + self.types.weight[0])
        return begun


def run_layers(layers: Iterable[nn.Module], x: Tensor, mask: Tensor) -> Tensor:
    """Run layers on token vectors (n, length, 384); `mask` (n, length) is 0 for padding."""
    bias = (1 - mask.to(x.dtype))[:, None, None, :] * -1e4  # finite in every precision
    for layer in layers:
        x = layer(x, bias)
    return x


def mean_vector(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean token vector (n, 384), of length 1."""
    total = (x * mask.to(x.dtype)[:, :, None]).sum(1)
    return F.normalize(total, dim=1)  # the sum and the mean have the same direction


_BERT_NAMES = (
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.token_type_embeddings", "types"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.out"),
    ("attention.output.LayerNorm", "attention.norm"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
)


def load_text_tower(weights: Mapping[str, Tensor]) -> MiniLM:
    """Build the text tower from BERT's state dict; raise RuntimeError if a name does not fit."""
    renamed = {}
    for name, value in weights.items():
        if name.startswith("pooler.") or name == "embeddings.position_ids":
            continue  # the sentence vector is the mean over tokens
        for old, new in _BERT_NAMES:
            name = name.replace(old, new)
        renamed[name] = value
    return _tower(renamed)


def load_tuned(path: Path) -> MiniLM:
    """Load the weights that `text_tower.build` wrote."""
    return _tower(torch.load(path, weights_only=True))


def _tower(weights: Mapping[str, Tensor]) -> MiniLM:
    tower = MiniLM()
    tower.load_state_dict(weights, strict=True)
    tower.eval().requires_grad_(requires_grad=False)
    return tower
