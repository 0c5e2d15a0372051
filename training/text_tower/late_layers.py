"""The last layers of the text tower, for tuning: they learn along with heads what texts mean to pictures.

What the layers below say of every text is computed once, and texts are numbers until they are read.
"""
# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.data.features import Seen, Towers
from training.packing.export import load_tokenizer
from training.text_tower.minilm import MiniLM, mean, through

LAYERS = 2  # that learn, of six
BATCH = 128
GROUPS = 8  # of texts of about one length, in each of which the longest makes the padding


class Numbered:
    """Stands in for `Towers` where texts are to be read later: numbers instead of sentence vectors."""

    def __init__(self, towers: Towers) -> None:
        self._towers, self._numbers = towers, dict[str, int]()

    @property
    def texts(self) -> Sequence[str]:
        """All that were asked for so far, in the order of their numbers."""
        return tuple(self._numbers)

    def photos(self, paths: Sequence[Path]) -> Seen:
        """As the towers have it."""
        return self._towers.photos(paths)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """The number of each text, (n,) int64."""
        return torch.tensor([self._numbers.setdefault(text, len(self._numbers)) for text in texts])


class LateLayers(nn.Module):
    """Numbers of texts (n,) → sentence vectors (n, 384), by the tower's last layers, which learn.

    They are the tower's own, not copies. What the others say of every token is kept in float16.
    """

    def __init__(self, tower: MiniLM, tokenizer: bytes, texts: Sequence[str]) -> None:
        super().__init__()
        self.layers = tower.layers[-LAYERS:].requires_grad_(requires_grad=True)
        self._tokens, self._lengths = _early(tower, tokenizer, texts)
        self._starts = self._lengths.cumsum(0) - self._lengths

    def forward(self, numbers: Tensor) -> Tensor:
        order = self._lengths[numbers.cpu()].argsort()
        found = torch.cat([self._read(numbers[part]) for part in order.chunk(GROUPS)])
        return found[order.argsort()]

    def _read(self, numbers: Tensor) -> Tensor:
        starts, lengths = self._starts[numbers.cpu()], self._lengths[numbers.cpu()]
        place = torch.arange(int(lengths.max()))
        # Past the end of a text stands another, or nothing: the mask says so.
        rows = (starts[:, None] + place).clamp(max=len(self._tokens) - 1)
        x, mask = self._tokens[rows].to(numbers.device), place < lengths[:, None]
        mask = mask.to(numbers.device)
        with torch.autocast(numbers.device.type, torch.bfloat16):
            x = through(self.layers, x.float(), mask)
        return mean(x.float(), mask)


@torch.no_grad()
def _early(tower: MiniLM, tokenizer: bytes, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Tokens of all texts after the layers that do not learn, one below another, and texts' lengths."""
    reader = load_tokenizer(tokenizer)
    reader.no_padding()
    ids = [torch.tensor(each.ids) for each in reader.encode_batch(list(texts))]
    lengths = torch.tensor([len(each) for each in ids])
    found = torch.empty((int(lengths.sum()), 384), dtype=torch.float16)
    starts = lengths.cumsum(0) - lengths
    with tqdm(total=len(ids), unit="text", desc="early layers") as bar:
        for part in lengths.argsort().split(BATCH):
            batch = nn.utils.rnn.pad_sequence([ids[n] for n in part], batch_first=True)
            mask = torch.arange(batch.shape[1]) < lengths[part][:, None]
            said = through(tower.layers[:-LAYERS], tower.begin(batch), mask).half()
            for row, number in zip(said, part, strict=True):
                length = int(lengths[number])
                found[int(starts[number]) : int(starts[number]) + length] = row[:length]
            bar.update(len(part))
    return found, lengths
