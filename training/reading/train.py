"""Train the reading heads on drawn words: losses and training loop.

There is one loss each for: where text is, the letter of a cell and its positions in the word, the
word of a group of cells, and the words of an image.
"""
# mypy: allow-subclassing-any

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from tqdm import tqdm

from clipsearch.models.pocket.query_words import letter_ids
from training.checkpoint import save
from training.reading.dataset import Batch, Shard, batches
from training.reading.model import CellClassifier, ReadingNetwork, ReadingPooling, WordEncoder

MAX_WORDS = 32  # per canvas
MIN_CELLS = 2  # of a word, to be part of the loss
EXTRA = 200  # negative words added to those of a batch
CHECKPOINT_STEPS = 200  # steps between checkpoints


class ReadingModel(nn.Module):
    """All trained modules: both heads, the cell classifier, and two log temperatures."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.pooling, self.word_encoder = (
            ReadingNetwork(),
            ReadingPooling(),
            WordEncoder(),
        )
        self.hints = CellClassifier()
        self.sharpness = nn.Parameter(torch.full((2,), 2.9))


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Distinct words: vectors (k, 96), and the row of each word."""

    vectors: Tensor
    rows: dict[str, int]


def loss(model: ReadingModel, batch: Batch, extra: Sequence[str]) -> Tensor:
    """Return the weighted sum of all losses on one batch.

    Words and images are compared with all words of the batch and `extra`; several may be positive.
    """
    with _fast(batch.cells.device):
        cells, text = model.reader(batch.second, batch.third)
    text, count = text.float(), len(batch.words)
    inside = batch.cells[:, 0].flatten(1) >= 0
    shown = cells.flatten(2).transpose(1, 2)[inside].float()
    total = 2 * F.binary_cross_entropy_with_logits(text, inside.float())
    with _fast(text.device):
        hints = model.hints(shown)
    for target, weight, hint in zip((1, 2, 3), (0.5, 0.2, 0.2), hints, strict=True):
        right = batch.cells[:, target].flatten(1)[inside]
        total = total + weight * F.cross_entropy(hint.float(), right, ignore_index=-1)

    shift = MAX_WORDS * torch.arange(count, device=text.device)[:, None]
    owner = (batch.cells[:, 0].flatten(1) + shift)[inside]
    sizes = torch.bincount(owner, minlength=MAX_WORDS * count).view(count, MAX_WORDS)
    sums = shown.new_zeros(MAX_WORDS * count, shown.shape[1])
    sums = sums.index_add(0, owner, shown * text.sigmoid()[inside][:, None])
    visible = [
        [k for k, word in enumerate(words) if word and sizes[row, k] >= MIN_CELLS]
        for row, words in enumerate(batch.words)
    ]
    places = [(row, k) for row, ks in enumerate(visible) for k in ks]
    positives = [batch.words[row][k] for row, k in places]
    different = list(dict.fromkeys([*positives, *extra]))
    letters = torch.from_numpy(letter_ids(different)).to(text.device)
    with _fast(text.device):
        vectors = model.word_encoder(letters).float()
    words = WordVectors(vectors, {word: i for i, word in enumerate(different)})

    read = model.pooling.read(sums[[row * MAX_WORDS + k for row, k in places]])
    total = total + _matching(read, [[word] for word in positives], words, model.sharpness[0])
    signs = [row for row, ks in enumerate(visible) if 1 <= len(ks) <= 4]
    pooled = model.pooling.pooled(cells[signs].float(), text[signs])
    own = [[batch.words[row][k] for k in visible[row]] for row in signs]
    total = total + _matching(pooled, own, words, model.sharpness[1])
    present = (sizes.amax(1) >= MIN_CELLS).float()
    presence = model.pooling.logit(text)[:, 0]
    return total + 0.3 * F.binary_cross_entropy_with_logits(presence, present)


def _matching(read: Tensor, own: list[list[str]], words: WordVectors, sharpness: Tensor) -> Tensor:
    """Symmetric InfoNCE between readings (n, 96) and words, with several positives each."""
    scores = F.normalize(read, dim=1) @ words.vectors.T * sharpness.exp()
    right = torch.zeros_like(scores)
    for row, mine in enumerate(own):
        right[row, [words.rows[word] for word in mine]] = 1
    to_words = -(right / right.sum(1, keepdim=True) * scores.log_softmax(1)).sum(1).mean()
    is_positive = right.sum(0) > 0
    back = (
        scores[:, is_positive].T.log_softmax(1).masked_fill(right[:, is_positive].T == 0, -math.inf)
    )
    return (to_words - back.logsumexp(1).mean()) / 2


def fit(
    shards: list[Shard],
    steps: int,
    *,
    device: str,
    checkpoint: Path,
    seed: int,
    start: Path | None = None,
) -> ReadingModel:
    """Train for `steps` batches of 32 with AdamW and a cosine schedule; resume from `checkpoint`.

    `start` is an earlier output of `reading.build` to continue from, at half the learning rate.
    """
    torch.manual_seed(seed)
    model: ReadingModel = ReadingModel().to(device, memory_format=torch.channels_last)
    if start:
        model.load_state_dict(torch.load(start, weights_only=True)["model"])
    groups = [[p for p in model.parameters() if (p.ndim > 1) == large] for large in (True, False)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.02}, {"params": groups[1], "weight_decay": 0.0}],
        betas=(0.9, 0.98),
    )
    step, epoch = 0, 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, epoch = saved["step"], saved["epoch"]
    known = sorted({word for shard in shards for words in shard.words for word in words if word})
    with tqdm(total=steps, initial=step, unit="step") as bar:
        while step < steps:
            rng = np.random.default_rng([seed, epoch])  # a resumed epoch starts over
            for batch in batches(shards, 32, rng):
                extra = [known[i] for i in rng.integers(len(known), size=EXTRA)]
                for group in optimizer.param_groups:
                    group["lr"] = _rate(step, steps) * (0.5 if start else 1.0)
                value = loss(model, batch.to(device), extra)
                optimizer.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 2.0)
                optimizer.step()
                step += 1
                bar.update()
                bar.set_postfix(loss=f"{value.item():.2f}")
                if step % CHECKPOINT_STEPS == 0 or step == steps:
                    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                    save(checkpoint, {"step": step, "epoch": epoch, **state})
                if step == steps:
                    break
            epoch += 1
    model.eval()
    return model


def _fast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def _rate(step: int, steps: int) -> float:
    return (
        2e-3 * min(1.0, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005)
    )
