"""Training one tower of a student: epochs over examples, each ending in a checkpoint."""

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from clipsearch.cache import atomic_write
from clipsearch.distill.config import DECAY, LONGEST_STEP, PEAK, Recipe, learning_rate, temperature
from clipsearch.distill.losses import distance
from clipsearch.distill.report import Epoch
from clipsearch.errors import ModelError
from clipsearch.evaluation.agreement import RESULT_LENGTHS
from clipsearch.evaluation.metrics import average_precision_at_k, top_k
from clipsearch.files.progress import OpenProgress
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

MEASURED = 1000
"""Held-out examples that an epoch is measured on: all against all, so more cost their square."""
COMPILED_STEPS = 500
"""From so many on, a minute of `torch.compile` pays."""

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Lessons:
    """What one tower ("image" or "text") learns: the examples `trained`, measured on `held_out`.

    `inputs` gives the tower's input for some examples, as they are (False) or mirrored, on a device; `vectors`,
    (sides, n, d), are the teacher's of both; `scale` is its scale of cosines.
    """

    tower: str
    inputs: Callable[[Places, NDArray[np.bool_], torch.device], Any]
    vectors: Vectors
    trained: Places
    held_out: Places
    scale: float


def train(
    tower: torch.nn.Module,
    lessons: Lessons,
    recipe: Recipe,
    *,
    device: torch.device,
    checkpoint: Path,
    bars: OpenProgress,
) -> tuple[Epoch, ...]:
    """Train a tower in place, from its checkpoint on if there is one; how each epoch went.

    AdamW (Loshchilov & Hutter 2019). Nothing draws random numbers but the order of an epoch's
    examples, and which are mirrored; both depend on seed and epoch alone. On a CPU a run that was
    stopped after any epoch therefore ends in the very weights of one that was not.
    """
    tower.to(device)
    optimizer = _optimizer(tower)
    history = list(load(checkpoint, tower, optimizer))
    steps = len(lessons.trained) // recipe.batch_size
    run = tower
    if device.type == "cuda" and recipe.epochs * steps >= COMPILED_STEPS:
        run = torch.compile(tower)
    if not history:
        history = [_measured(run, lessons, 0, None, device, recipe.batch_size)]
        _tell(history[0], recipe)
    for number in range(len(history), recipe.epochs + 1):
        loss = _epoch(run, optimizer, lessons, recipe, number - 1, device, bars)
        history.append(_measured(run, lessons, number, loss, device, recipe.batch_size))
        save(checkpoint, tower, optimizer, history)
        _tell(history[-1], recipe)
    tower.eval()
    return tuple(history)


def save(checkpoint: Path, tower: torch.nn.Module, optimizer: Any, history: list[Epoch]) -> None:
    """Write all that goes on after an epoch; the rates depend on the number of the step."""
    state = {
        "tower": tower.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [asdict(epoch) for epoch in history],
    }
    with atomic_write(checkpoint) as temporary:
        torch.save(state, temporary)


def load(checkpoint: Path, tower: torch.nn.Module, optimizer: Any = None) -> tuple[Epoch, ...]:
    """Put a checkpoint's weights into a tower; its history, () where there is none.

    Raises ModelError on a damaged one.
    """
    if not checkpoint.exists():
        return ()
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        tower.load_state_dict(state["tower"])
        if optimizer is not None:
            optimizer.load_state_dict(state["optimizer"])
        return tuple(Epoch(**epoch) for epoch in state["history"])
    except Exception as error:  # broken files make pickle and torch raise nearly anything
        raise ModelError(
            f"{checkpoint} is damaged: delete it to train that tower from the start"
        ) from error


def _optimizer(tower: torch.nn.Module) -> Any:
    # Only matrices decay: norms, biases and positions have nothing to be pulled to.
    matrices = [p for name, p in tower.named_parameters() if p.ndim > 1 and "embedding" not in name]
    chosen = {id(p) for p in matrices}
    others = [p for p in tower.parameters() if id(p) not in chosen]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.98), eps=1e-6)


def _epoch(
    run: Any,
    optimizer: Any,
    lessons: Lessons,
    recipe: Recipe,
    epoch: int,
    device: torch.device,
    bars: OpenProgress,
) -> float:
    """One pass over the examples; the mean loss of its batches."""
    batches = list(_batches(lessons, recipe, epoch))
    steps = len(batches) * recipe.epochs
    total = torch.zeros((), device=device)
    run.train()
    with bars(f"{lessons.tower} tower, epoch {epoch + 1} of {recipe.epochs}", len(batches)) as bar:
        for number, (places, mirrored) in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch * len(batches) + number, steps)
            truth = lessons.vectors[mirrored.astype(np.intp), places]
            vectors = _forward(run, lessons.inputs(places, mirrored, device), device)
            loss = distance(
                vectors,
                torch.from_numpy(truth).to(device),
                scale=lessons.scale,
                temperature=temperature(epoch),
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(run.parameters(), LONGEST_STEP)
            optimizer.step()
            total += loss.detach()
            if bar is not None:
                bar.update(1)
    return float(total) / len(batches)


def _batches(
    lessons: Lessons, recipe: Recipe, epoch: int
) -> Iterator[tuple[Places, NDArray[np.bool_]]]:
    """Whole batches of shuffled examples, each mirrored or not; who is left over changes each time."""
    random = np.random.default_rng([recipe.seed, epoch])
    order = random.permutation(lessons.trained)
    mirrored = (
        random.random(len(order)) < 0.5
        if len(lessons.vectors) > 1
        else np.zeros(len(order), np.bool_)
    )
    size = recipe.batch_size
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size], mirrored[start : start + size]


def _forward(run: Any, inputs: Any, device: torch.device) -> Any:
    """A tower's vectors, (n, d) float32 of length 1; on CUDA computed in bfloat16."""
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast("cuda", torch.bfloat16) if fast else nullcontext():
        vectors = run(inputs)
    return normalize(vectors.float(), dim=1)


def _measured(
    run: Any,
    lessons: Lessons,
    number: int,
    loss: float | None,
    device: torch.device,
    size: int,
) -> Epoch:
    """An epoch's line in the history: the tower's vectors of the held-out examples."""
    places = lessons.held_out[:MEASURED]
    if len(places) == 0:
        return Epoch(lessons.tower, number, loss, None, None)
    run.eval()
    with torch.no_grad():
        parts = [
            _forward(run, lessons.inputs(part, np.zeros(len(part), np.bool_), device), device)
            for part in (places[start : start + size] for start in range(0, len(places), size))
        ]
        found: Vectors = torch.cat(parts).cpu().numpy()
    truth = lessons.vectors[0, places]
    cosine = float(np.einsum("nd,nd->n", found, truth).mean())
    agreement = None
    if len(places) > max(RESULT_LENGTHS):
        agreement = _agreement(found @ found.T, truth @ truth.T)
    return Epoch(lessons.tower, number, loss, cosine, agreement)


def _agreement(ours: Vectors, theirs: Vectors) -> float:
    """mAP@10-20 of (n, n) scores: each example searches the others."""
    for scores in (ours, theirs):
        np.fill_diagonal(scores, -np.inf)
    found, truth = top_k(ours, max(RESULT_LENGTHS)), top_k(theirs, max(RESULT_LENGTHS))
    return float(
        np.mean([average_precision_at_k(found[:, :n], truth[:, :n]).mean() for n in RESULT_LENGTHS])
    )


def _tell(epoch: Epoch, recipe: Recipe) -> None:
    words = [] if epoch.loss is None else [f"loss {epoch.loss:.3f}"]
    words += [] if epoch.cosine is None else [f"held-out cosine {epoch.cosine:.3f}"]
    words += [] if epoch.agreement is None else [f"mAP@10-20 {epoch.agreement:.1%}"]
    state = f"epoch {epoch.number} of {recipe.epochs}" if epoch.number else "untrained"
    log.info("%s tower, %s: %s", epoch.tower, state, ", ".join(words) or "nothing held out")
