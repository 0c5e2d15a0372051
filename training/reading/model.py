"""A small reading network: text in images and words share one embedding space.

As in word spotting (Almazán et al. 2014, "Word spotting and recognition with embedded attributes"),
but their fixed pyramid of characters is learned here: each cell of an image encodes its character
and the position in the word, the sum over cells encodes the word, and a word's letters are mapped
to the same sum.
"""
# mypy: allow-subclassing-any

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from clipsearch.models.pocket.query_words import ALPHABET
from training.reading.canvas import GRID, PLACES

DIM = 96  # of the words, without the presence of text
TAPS = (24, 40)  # channels of the image tower's second and third stage, at strides 4 and 8
FINE, COARSE = 64, 96  # channels at strides 8 and 16


def _conv(cin: int, cout: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Module:
    pad = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, pad, dilation, bias=False), nn.BatchNorm2d(cout)
    )


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class ReadingNetwork(nn.Module):
    """The tower's second (n, 24, 56, 56) and third stage (n, 40, 28, 28) → cells and text.

    Cells (n, 96, 28, 28) encode characters; text (n, 784) are logits of "this cell is in text". The
    network costs about a tenth of the tower.
    """

    def __init__(self) -> None:
        super().__init__()
        self.second, self.third = _conv(TAPS[0], FINE, 3, 2), _conv(TAPS[1], FINE, 1)
        self.fine = _Residual(FINE)
        self.down = _conv(FINE, COARSE, 3, 2)
        # Dilation makes the receptive field as wide as a large word.
        self.coarse = nn.Sequential(*(_Residual(COARSE, dilation) for dilation in (1, 2, 2)))
        self.wide, self.near = _conv(COARSE, DIM, 1), _conv(FINE, DIM, 1)
        self.text = nn.Conv2d(DIM, 1, 1)

    def forward(self, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(F.relu(self.second(second) + self.third(third)))
        wide = self.wide(self.coarse(F.relu(self.down(fine))))
        cells = F.relu(self.near(fine) + F.interpolate(wide, scale_factor=2.0, mode="nearest"))
        return cells, self.text(cells).flatten(1)


class CellClassifier(nn.Module):
    """Cells (n, 96) → logits of the letter (36) and of its positions from both ends (8 each).

    Used in training only, as a loss for each cell.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes = (len(ALPHABET), PLACES, PLACES)
        self.out = nn.Linear(DIM, sum(self.sizes))

    def forward(self, cells: Tensor) -> tuple[Tensor, ...]:
        hints: tuple[Tensor, ...] = self.out(cells).split(self.sizes, 1)
        return hints


class ReadingPooling(nn.Module):
    """ReadingNetwork's output → (n, 97) of length 1: the words, and the absence of text.

    The likelier any text is, the longer are the first 96 components and the smaller is the last: 1
    on an image without text, 0 on one with text. So all images have equal weight if a query asks
    for no words, and the last component alone separates most images with text from those without.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(DIM, DIM, bias=False)
        self.presence = nn.Linear(1, 1)
        nn.init.ones_(self.presence.weight)
        nn.init.constant_(self.presence.bias, -3.0)

    def logit(self, text: Tensor) -> Tensor:
        """Return the logit of "any text", (n, 1): a soft maximum over the cells."""
        out: Tensor = self.presence(text.logsumexp(1, keepdim=True))
        return out

    def pooled(self, cells: Tensor, text: Tensor) -> Tensor:
        """Return the sum over cells in text, (n, 96), not normalized."""
        inside = text.sigmoid().unflatten(1, (1, GRID, GRID))
        out: Tensor = self.read((cells * inside).sum((2, 3)))
        return out

    def forward(self, cells: Tensor, text: Tensor) -> Tensor:
        angle = self.logit(text).sigmoid() * (math.pi / 2)
        words = F.normalize(self.pooled(cells, text), dim=1)
        return torch.cat([words * angle.sin(), angle.cos()], 1)


class ReadingImageHead(nn.Module):
    """The tower's second and third stage → (n, 97); the released image head."""

    def __init__(self, reader: ReadingNetwork, pooling: ReadingPooling) -> None:
        super().__init__()
        self.reader, self.pooling = reader, pooling

    def forward(self, second: Tensor, third: Tensor) -> Tensor:
        out: Tensor = self.pooling(*self.reader(second, third))
        return out


class WordEncoder(nn.Module):
    """Letters (n, LONGEST) int64 of `spell` → (n, DIM) of length 1, or 0 for an empty word."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET) + 1, width, padding_idx=0)
        self.starts, self.ends = nn.Embedding(PLACES, width), nn.Embedding(PLACES, width)
        self.near = nn.Conv1d(width, width, 3, padding=1)
        self.wide = nn.Conv1d(width, width, 3, padding=1)
        self.out = nn.Linear(2 * width, DIM, bias=False)

    def forward(self, letters: Tensor) -> Tensor:
        present = (letters > 0).float()
        before = present.cumsum(1) - 1
        after = present.sum(1, keepdim=True) - 1 - before
        start = self.starts(before.clamp(0, PLACES - 1).long())
        end = self.ends(after.clamp(0, PLACES - 1).long())
        x = self.letters(letters) * (1 + start + end) * present[:, :, None]
        mask = present[:, None]
        y = F.relu(self.near(x.transpose(1, 2))) * mask
        y = F.relu(self.wide(y)) * mask
        return F.normalize(self.out(torch.cat([x.sum(1), y.sum(2)], 1)), dim=1)


class ReadingTextHead(nn.Module):
    """Letters (n, words, 16) and shares (n, words + 1) of a query → (n, 97); 0 without words.

    The last component lowers the score of images without text, as much as the query asks for text.
    """

    def __init__(self, word_encoder: WordEncoder) -> None:
        super().__init__()
        self.word_encoder = word_encoder

    def forward(self, letters: Tensor, shares: Tensor) -> Tensor:
        words = self.word_encoder(letters.flatten(0, 1)).unflatten(0, letters.shape[:2])
        target = (words * shares[:, :-1, None]).sum(1)
        return torch.cat([target, -shares[:, -1:]], 1)
