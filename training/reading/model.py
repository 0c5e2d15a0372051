"""A small network that reads: which letters stand on a picture, as a vector that words share.

Both sides end in one space, as in word spotting (Almazán et al. 2014, "Word spotting and
recognition with embedded attributes"; their hand-made pyramid of characters is learnt here): the
picture's cells say which character they show and where in its word it stands, their sum says the
word; a word's letters give the same sum.
"""
# mypy: allow-subclassing-any

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from clipsearch.models.pocket.query import ALPHABET
from training.reading.canvas import GRID, PLACES

DIM = 96  # of what is read, without the presence of text
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


class Reader(nn.Module):
    """The tower's second (n, 24, 56, 56) and third stage (n, 40, 28, 28) → cells and text.

    Cells (n, 96, 28, 28) tell what stands there; text (n, 784) are logits of whether they lie in
    writing. Few and plain convolutions: all of it costs about a tenth of the tower.
    """

    def __init__(self) -> None:
        super().__init__()
        self.second, self.third = _conv(TAPS[0], FINE, 3, 2), _conv(TAPS[1], FINE, 1)
        self.fine = _Residual(FINE)
        self.down = _conv(FINE, COARSE, 3, 2)
        # Dilation lets a cell see from one end of a large word to the other.
        self.coarse = nn.Sequential(*(_Residual(COARSE, dilation) for dilation in (1, 2, 2)))
        self.wide, self.near = _conv(COARSE, DIM, 1), _conv(FINE, DIM, 1)
        self.text = nn.Conv2d(DIM, 1, 1)

    def forward(self, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(F.relu(self.second(second) + self.third(third)))
        wide = self.wide(self.coarse(F.relu(self.down(fine))))
        cells = F.relu(self.near(fine) + F.interpolate(wide, scale_factor=2.0, mode="nearest"))
        return cells, self.text(cells).flatten(1)


class Hints(nn.Module):
    """Cells (n, 96) → logits of their letter (36) and of its places from both ends (8 each).

    They serve the training alone: what a cell has to know, told cell by cell.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes = (len(ALPHABET), PLACES, PLACES)
        self.out = nn.Linear(DIM, sum(self.sizes))

    def forward(self, cells: Tensor) -> tuple[Tensor, ...]:
        hints: tuple[Tensor, ...] = self.out(cells).split(self.sizes, 1)
        return hints


class Summary(nn.Module):
    """What a Reader gives → (n, 97) of length 1: what is read, and how little there is to read.

    The likelier there is any text, the longer the first 96 and the smaller the last: 1 on a picture
    without text, 0 on one with. So all pictures weigh the same where nothing is asked to be read,
    and the last number alone tells most pictures with text from those without.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(DIM, DIM, bias=False)
        self.presence = nn.Linear(1, 1)
        nn.init.ones_(self.presence.weight)
        nn.init.constant_(self.presence.bias, -3.0)

    def logit(self, text: Tensor) -> Tensor:
        """Whether there is any text, (n, 1): a soft maximum over the cells."""
        out: Tensor = self.presence(text.logsumexp(1, keepdim=True))
        return out

    def pooled(self, cells: Tensor, text: Tensor) -> Tensor:
        """What the cells in writing say together, (n, 96), of any length."""
        inside = text.sigmoid().unflatten(1, (1, GRID, GRID))
        out: Tensor = self.read((cells * inside).sum((2, 3)))
        return out

    def forward(self, cells: Tensor, text: Tensor) -> Tensor:
        angle = self.logit(text).sigmoid() * (math.pi / 2)
        said = F.normalize(self.pooled(cells, text), dim=1)
        return torch.cat([said * angle.sin(), angle.cos()], 1)


class ReadingSide(nn.Module):
    """The tower's second and third stage → (n, 97); the picture side as it is shipped."""

    def __init__(self, reader: Reader, summary: Summary) -> None:
        super().__init__()
        self.reader, self.summary = reader, summary

    def forward(self, second: Tensor, third: Tensor) -> Tensor:
        out: Tensor = self.summary(*self.reader(second, third))
        return out


class Speller(nn.Module):
    """Letters (n, LONGEST) int64 of `spell` → (n, DIM) of length 1, or 0 for a word of none."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET) + 1, width, padding_idx=0)
        self.starts, self.ends = nn.Embedding(PLACES, width), nn.Embedding(PLACES, width)
        self.near = nn.Conv1d(width, width, 3, padding=1)
        self.wide = nn.Conv1d(width, width, 3, padding=1)
        self.out = nn.Linear(2 * width, DIM, bias=False)

    def forward(self, letters: Tensor) -> Tensor:
        there = (letters > 0).float()
        before = there.cumsum(1) - 1
        after = there.sum(1, keepdim=True) - 1 - before
        start = self.starts(before.clamp(0, PLACES - 1).long())
        end = self.ends(after.clamp(0, PLACES - 1).long())
        x = self.letters(letters) * (1 + start + end) * there[:, :, None]
        mask = there[:, None]
        y = F.relu(self.near(x.transpose(1, 2))) * mask
        y = F.relu(self.wide(y)) * mask
        return F.normalize(self.out(torch.cat([x.sum(1), y.sum(2)], 1)), dim=1)


class AskingSide(nn.Module):
    """Letters (n, words, 16) and shares (n, words + 1) of `ask` → (n, 97); 0 where none is asked.

    The last number pulls away from pictures without text as much as the query wants any.
    """

    def __init__(self, speller: Speller) -> None:
        super().__init__()
        self.speller = speller

    def forward(self, letters: Tensor, shares: Tensor) -> Tensor:
        words = self.speller(letters.flatten(0, 1)).unflatten(0, letters.shape[:2])
        wanted = (words * shares[:, :-1, None]).sum(1)
        return torch.cat([wanted, -shares[:, -1:]], 1)
