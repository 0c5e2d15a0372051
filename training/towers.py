"""The two pretrained towers, as plain torch modules with the names of their weight files.

EfficientNet-Lite0: Tan & Le 2019 ("EfficientNet"), with the changes of its Lite variant: ReLU6, no
squeeze-and-excitation, fixed stem and head. MiniLM-L6: a BERT encoder (Devlin et al. 2018) of six
layers and 384 dimensions, distilled (Wang et al. 2020) and tuned for sentence similarity.
"""
# mypy: allow-subclassing-any

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

# (kernel, stride, expansion, channels out, repeats) of each stage.
LITE0_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
BN_EPS = 1e-3  # the weights were trained in TensorFlow, whose default differs from torch's


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding for even sizes: the odd pixel goes last."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(cin, cout, kernel, stride, groups=groups, bias=False)
        total = kernel - stride
        self.pads = (total // 2, total - total // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads))


class Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise kxk, project 1x1, each with batch norm."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        mid = cin * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(cin, mid, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._depthwise_conv = SameConv(mid, mid, kernel, stride, groups=mid)
        self._bn1 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._project_conv = nn.Conv2d(mid, cout, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(cout, eps=BN_EPS)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """uint8 RGB (n, 3, 224, 224) → pooled (n, 1280) and logits (n, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, eps=BN_EPS)
        blocks, cin = [], 32
        for kernel, stride, expansion, cout, repeats in LITE0_STAGES:
            for i in range(repeats):
                blocks.append(Block(cin, cout, kernel, stride if i == 0 else 1, expansion))
                cin = cout
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(cin, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=BN_EPS)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # The weights want (x - 127) / 128. That goes into the first convolution, which saves a pass
        # over the picture; its border of zeros is 127 then.
        weight = self._conv_stem.weight
        x = F.pad(x, self._conv_stem.pads, value=127).float()
        x = F.conv2d(x, weight / 128, weight.sum((1, 2, 3)) * (-127 / 128), stride=2)
        x = F.relu6(self._bn0(x))
        for block in self._blocks:
            x = block(x)
        pooled = F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return pooled, self._fc(pooled)


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
    """Token ids and attention mask, both (n, length) int64 → mean token vector (n, 384), length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(30522, 384), nn.Embedding(512, 384)
        self.types = nn.Embedding(2, 384)
        self.norm = nn.LayerNorm(384, eps=1e-12)
        self.layers = nn.ModuleList(Layer(384, 12, 1536) for _ in range(6))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.positions(places) + self.types.weight[0])
        keep = mask.to(x.dtype)
        bias = (1 - keep)[:, None, None, :] * -1e4  # finite in every precision, and enough
        for layer in self.layers:
            x = layer(x, bias)
        total = (x * keep[:, :, None]).sum(1)
        return F.normalize(total, dim=1)  # the sum and the mean have one direction


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


def load_image_tower(weights: Mapping[str, Tensor]) -> EfficientNetLite0:
    """Build the image tower from its state dict; raise RuntimeError where a name does not fit."""
    tower = EfficientNetLite0()
    tower.load_state_dict(dict(weights), strict=True)
    tower.eval().requires_grad_(requires_grad=False)
    return tower


def load_text_tower(weights: Mapping[str, Tensor]) -> MiniLM:
    """Build the text tower from BERT's state dict; raise RuntimeError where a name does not fit."""
    renamed = {}
    for name, value in weights.items():
        if name.startswith("pooler.") or name == "embeddings.position_ids":
            continue  # the sentence vector is the mean over tokens
        for old, new in _BERT_NAMES:
            name = name.replace(old, new)
        renamed[name] = value
    tower = MiniLM()
    tower.load_state_dict(renamed, strict=True)
    tower.eval().requires_grad_(requires_grad=False)
    return tower
