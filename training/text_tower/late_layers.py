"""The last layers of the text tower, trained together with the heads.

The output of the frozen layers below is computed once for every text; texts travel as ids.
"""
# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.data.features import ImageFeatures, Towers
from training.packing.export import load_tokenizer
from training.precision import fast_products
from training.text_tower.minilm import MiniLM, mean_vector, run_layers

LAYERS = 2  # trained, of six
BATCH = 128
GROUPS = 8  # batches of similar length, each padded to its longest text


class DeferredTexts:
    """Replaces `Towers` if texts are encoded later: text ids instead of sentence vectors."""

    def __init__(self, towers: Towers) -> None:
        self._towers, self._numbers = towers, dict[str, int]()

    @property
    def texts(self) -> Sequence[str]:
        """All texts so far, in the order of their ids."""
        return tuple(self._numbers)

    def images(self, paths: Sequence[Path]) -> ImageFeatures:
        """Return the image features of the towers."""
        return self._towers.images(paths)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Return the id of each text, (n,) int64."""
        return torch.tensor([self._numbers.setdefault(text, len(self._numbers)) for text in texts])


class LateLayers(nn.Module):
    """Text ids (n,) → sentence vectors (n, 384), by the tower's own last layers, which are trained.

    The output of the other layers for every token is held in float16.
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
        # Positions past the end of a text are masked.
        rows = (starts[:, None] + place).clamp(max=len(self._tokens) - 1)
        x, mask = self._tokens[rows].to(numbers.device), place < lengths[:, None]
        mask = mask.to(numbers.device)
        with fast_products(numbers.device.type):
            x = run_layers(self.layers, x.float(), mask)
        return mean_vector(x.float(), mask)


@torch.no_grad()
def _early(tower: MiniLM, tokenizer: bytes, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the token vectors after the frozen layers, concatenated, and the texts' lengths."""
    tokenizer_ = load_tokenizer(tokenizer)
    tokenizer_.no_padding()
    ids = [torch.tensor(each.ids) for each in tokenizer_.encode_batch(list(texts))]
    lengths = torch.tensor([len(each) for each in ids])
    found = torch.empty((int(lengths.sum()), 384), dtype=torch.float16)
    starts = lengths.cumsum(0) - lengths
    with tqdm(total=len(ids), unit="text", desc="early layers") as bar:
        for part in lengths.argsort().split(BATCH):
            batch = nn.utils.rnn.pad_sequence([ids[n] for n in part], batch_first=True)
            mask = torch.arange(batch.shape[1]) < lengths[part][:, None]
            vectors = run_layers(tower.layers[:-LAYERS], tower.embed_tokens(batch), mask).half()
            for row, number in zip(vectors, part, strict=True):
                length = int(lengths[number])
                found[int(starts[number]) : int(starts[number]) + length] = row[:length]
            bar.update(len(part))
    return found, lengths
