"""Teaching the reading head on drawn words: what is wrong with a guess, and the loop.

Where the text is, which letter a cell shows and where in its word, which word a reading says, which
words a picture: each is taught by a loss of its own, all at once.
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

from clipsearch.models.pocket.query import letter_ids
from training.checkpoint import save
from training.reading.dataset import Batch, Shard, batches
from training.reading.model import Hints, Reader, Speller, Summary

MOST_WORDS = 32  # on a canvas
LEAST_CELLS = 2  # that a word takes to be asked for
EXTRA = 200  # other words that a batch's words are told from
SAVED = 200  # steps from one checkpoint to the next


class Pupil(nn.Module):
    """All that is learnt: both sides, the hints, and the sharpness of two comparisons."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.summary, self.speller = Reader(), Summary(), Speller()
        self.hints = Hints()
        self.sharpness = nn.Parameter(torch.full((2,), 2.9))


@dataclass(frozen=True, slots=True)
class Words:
    """Different words with their vectors (k, 96), and the number of each."""

    vectors: Tensor
    numbers: dict[str, int]


def loss(pupil: Pupil, batch: Batch, extra: Sequence[str]) -> Tensor:
    """What the pupil still gets wrong: where text is, which letters, which words, which pictures.

    Words and pictures are compared with all words of the batch and `extra`; several may be right.
    """
    with _fast(batch.cells.device):
        cells, text = pupil.reader(batch.second, batch.third)
    text, count = text.float(), len(batch.words)
    inside = batch.cells[:, 0].flatten(1) >= 0
    shown = cells.flatten(2).transpose(1, 2)[inside].float()
    total = 2 * F.binary_cross_entropy_with_logits(text, inside.float())
    with _fast(text.device):
        hints = pupil.hints(shown)
    for target, weight, hint in zip((1, 2, 3), (0.5, 0.2, 0.2), hints, strict=True):
        right = batch.cells[:, target].flatten(1)[inside]
        total = total + weight * F.cross_entropy(hint.float(), right, ignore_index=-1)

    shift = MOST_WORDS * torch.arange(count, device=text.device)[:, None]
    owner = (batch.cells[:, 0].flatten(1) + shift)[inside]
    sizes = torch.bincount(owner, minlength=MOST_WORDS * count).view(count, MOST_WORDS)
    sums = shown.new_zeros(MOST_WORDS * count, shown.shape[1])
    sums = sums.index_add(0, owner, shown * text.sigmoid()[inside][:, None])
    visible = [
        [k for k, word in enumerate(words) if word and sizes[row, k] >= LEAST_CELLS]
        for row, words in enumerate(batch.words)
    ]
    places = [(row, k) for row, ks in enumerate(visible) for k in ks]
    said = [batch.words[row][k] for row, k in places]
    different = list(dict.fromkeys([*said, *extra]))
    letters = torch.from_numpy(letter_ids(different)).to(text.device)
    with _fast(text.device):
        vectors = pupil.speller(letters).float()
    words = Words(vectors, {word: i for i, word in enumerate(different)})

    read = pupil.summary.read(sums[[row * MOST_WORDS + k for row, k in places]])
    total = total + _matching(read, [[word] for word in said], words, pupil.sharpness[0])
    signs = [row for row, ks in enumerate(visible) if 1 <= len(ks) <= 4]
    pooled = pupil.summary.pooled(cells[signs].float(), text[signs])
    own = [[batch.words[row][k] for k in visible[row]] for row in signs]
    total = total + _matching(pooled, own, words, pupil.sharpness[1])
    present = (sizes.amax(1) >= LEAST_CELLS).float()
    presence = pupil.summary.logit(text)[:, 0]
    return total + 0.3 * F.binary_cross_entropy_with_logits(presence, present)


def _matching(read: Tensor, own: list[list[str]], words: Words, sharpness: Tensor) -> Tensor:
    """InfoNCE both ways between readings (n, 96) and words, of which several may be right."""
    scores = F.normalize(read, dim=1) @ words.vectors.T * sharpness.exp()
    right = torch.zeros_like(scores)
    for row, mine in enumerate(own):
        right[row, [words.numbers[word] for word in mine]] = 1
    to_words = -(right / right.sum(1, keepdim=True) * scores.log_softmax(1)).sum(1).mean()
    asked = right.sum(0) > 0
    back = scores[:, asked].T.log_softmax(1).masked_fill(right[:, asked].T == 0, -math.inf)
    return (to_words - back.logsumexp(1).mean()) / 2


def fit(
    made: list[Shard],
    steps: int,
    *,
    device: str,
    checkpoint: Path,
    seed: int,
    start: Path | None = None,
) -> Pupil:
    """Train for `steps` batches of 32 with AdamW and a cosine; resume from `checkpoint`.

    `start` holds what build_reading wrote, to begin with; half the rate is enough then.
    """
    torch.manual_seed(seed)
    pupil: Pupil = Pupil().to(device, memory_format=torch.channels_last)
    if start:
        pupil.load_state_dict(torch.load(start, weights_only=True)["pupil"])
    groups = [[p for p in pupil.parameters() if (p.ndim > 1) == large] for large in (True, False)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.02}, {"params": groups[1], "weight_decay": 0.0}],
        betas=(0.9, 0.98),
    )
    step, epoch = 0, 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        pupil.load_state_dict(saved["pupil"])
        optimizer.load_state_dict(saved["optimizer"])
        step, epoch = saved["step"], saved["epoch"]
    known = sorted({word for shard in made for words in shard.words for word in words if word})
    with tqdm(total=steps, initial=step, unit="step") as bar:
        while step < steps:
            rng = np.random.default_rng([seed, epoch])  # a resumed epoch starts anew
            for batch in batches(made, 32, rng):
                extra = [known[i] for i in rng.integers(len(known), size=EXTRA)]
                for group in optimizer.param_groups:
                    group["lr"] = _rate(step, steps) * (0.5 if start else 1.0)
                wrong = loss(pupil, batch.to(device), extra)
                optimizer.zero_grad()
                wrong.backward()
                nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
                optimizer.step()
                step += 1
                bar.update()
                bar.set_postfix(loss=f"{wrong.item():.2f}")
                if step % SAVED == 0 or step == steps:
                    state = {"pupil": pupil.state_dict(), "optimizer": optimizer.state_dict()}
                    save(checkpoint, {"step": step, "epoch": epoch, **state})
                if step == steps:
                    break
            epoch += 1
    pupil.eval()
    return pupil


def _fast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def _rate(step: int, steps: int) -> float:
    return (
        2e-3 * min(1.0, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005)
    )
