"""The training loop of one tower: epochs over the examples, each with a checkpoint."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from clipsearch.distill.checkpoint import load_checkpoint, save_checkpoint
from clipsearch.distill.config import (
    MAX_GRADIENT_NORM,
    PEAK_LEARNING_RATE,
    WEIGHT_DECAY,
    TrainingConfig,
    learning_rate,
    temperature,
)
from clipsearch.distill.loss import distillation_loss
from clipsearch.distill.report import EpochMetrics
from clipsearch.distill.training_data import TrainingData
from clipsearch.evaluation.agreement import RESULT_LENGTHS
from clipsearch.evaluation.metrics import Indices, average_precision_at_k, top_k
from clipsearch.files.progress import OpenProgress
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

MAX_MEASURED = 1000
"""Held-out examples that each epoch is measured on; all pairs are compared."""
MIN_COMPILED_STEPS = 500
"""From this many steps on, the minute that `torch.compile` takes pays off."""


def train_tower(
    tower: torch.nn.Module,
    data: TrainingData,
    config: TrainingConfig,
    *,
    device: torch.device,
    checkpoint: Path,
    open_progress: OpenProgress,
) -> tuple[EpochMetrics, ...]:
    """Train a tower in place, from its checkpoint if there is one, and return its metrics.

    The optimizer is AdamW (Loshchilov & Hutter 2019). Only the order of an epoch's examples and the
    choice of mirrored ones are random; both depend on seed and epoch alone. On a CPU, a run that is
    interrupted after any epoch and continued ends with exactly the weights of an uninterrupted run.
    """
    tower.to(device)
    optimizer = _make_optimizer(tower)
    history = list(load_checkpoint(checkpoint, tower, optimizer))
    steps = len(data.train_indices) // config.batch_size
    model = tower
    if device.type == "cuda" and config.epochs * steps >= MIN_COMPILED_STEPS:
        model = torch.compile(tower)
    if not history:
        history = [_measure_epoch(model, data, 0, None, device, config.batch_size)]
        _log_epoch(history[0], config)
    for number in range(len(history), config.epochs + 1):
        loss = _train_epoch(model, optimizer, data, config, number - 1, device, open_progress)
        history.append(_measure_epoch(model, data, number, loss, device, config.batch_size))
        save_checkpoint(checkpoint, tower, optimizer, history)
        _log_epoch(history[-1], config)
    tower.eval()
    return tuple(history)


def _make_optimizer(tower: torch.nn.Module) -> Any:
    # Weight decay is for matrices only, not for norms, biases and position embeddings.
    matrices = [p for name, p in tower.named_parameters() if p.ndim > 1 and "embedding" not in name]
    matrix_ids = {id(p) for p in matrices}
    others = [p for p in tower.parameters() if id(p) not in matrix_ids]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK_LEARNING_RATE, betas=(0.9, 0.98), eps=1e-6)


def _train_epoch(
    model: Any,
    optimizer: Any,
    data: TrainingData,
    config: TrainingConfig,
    epoch: int,
    device: torch.device,
    open_progress: OpenProgress,
) -> float:
    """Train on all examples once and return the mean loss of the batches."""
    batches = list(_shuffled_batches(data, config, epoch))
    all_steps = len(batches) * config.epochs
    total_loss = torch.zeros((), device=device)
    model.train()
    title = f"{data.tower} tower, epoch {epoch + 1} of {config.epochs}"
    with open_progress(title, len(batches)) as progress:
        for number, (indices, is_mirrored) in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch * len(batches) + number, all_steps)
            targets = data.vectors[is_mirrored.astype(np.intp), indices]
            vectors = _encode(model, data.load_input(indices, is_mirrored, device), device)
            loss = distillation_loss(
                vectors,
                torch.from_numpy(targets).to(device),
                scale=data.logit_scale,
                temperature=temperature(epoch),
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            total_loss += loss.detach()
            if progress is not None:
                progress.update(1)
    return float(total_loss) / len(batches)


def _shuffled_batches(
    data: TrainingData, config: TrainingConfig, epoch: int
) -> Iterator[tuple[Indices, NDArray[np.bool_]]]:
    """Yield full batches of shuffled examples, each mirrored or not.

    The examples that do not fill a batch are left out; they differ from epoch to epoch.
    """
    random = np.random.default_rng([config.seed, epoch])
    order = random.permutation(data.train_indices)
    has_twins = len(data.vectors) > 1
    is_mirrored = random.random(len(order)) < 0.5 if has_twins else np.zeros(len(order), np.bool_)
    size = config.batch_size
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size], is_mirrored[start : start + size]


def _encode(model: Any, inputs: Any, device: torch.device) -> Any:
    """Encode a tower's input as (n, d) float32 of length 1; on CUDA it computes in bfloat16."""
    use_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast("cuda", torch.bfloat16) if use_bfloat16 else nullcontext():
        vectors = model(inputs)
    return normalize(vectors.float(), dim=1)


def _measure_epoch(
    model: Any,
    data: TrainingData,
    number: int,
    loss: float | None,
    device: torch.device,
    batch_size: int,
) -> EpochMetrics:
    """Compare the tower's vectors of the held-out examples with the teacher's."""
    indices = data.held_out_indices[:MAX_MEASURED]
    if len(indices) == 0:
        return EpochMetrics(data.tower, number, loss, None, None)
    model.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(indices), batch_size):
            part = indices[start : start + batch_size]
            inputs = data.load_input(part, np.zeros(len(part), np.bool_), device)
            parts.append(_encode(model, inputs, device))
        vectors: Vectors = torch.cat(parts).cpu().numpy()
    targets = data.vectors[0, indices]
    cosine = float(np.einsum("nd,nd->n", vectors, targets).mean())
    agreement = None
    if len(indices) > max(RESULT_LENGTHS):
        agreement = _agreement(vectors @ vectors.T, targets @ targets.T)
    return EpochMetrics(data.tower, number, loss, cosine, agreement)


def _agreement(scores: Vectors, target_scores: Vectors) -> float:
    """The mAP@10-20 of (n, n) scores: each example searches the others."""
    for table in (scores, target_scores):
        np.fill_diagonal(table, -np.inf)
    longest = max(RESULT_LENGTHS)
    results, truth = top_k(scores, longest), top_k(target_scores, longest)
    precisions = [
        average_precision_at_k(results[:, :n], truth[:, :n]).mean() for n in RESULT_LENGTHS
    ]
    return float(np.mean(precisions))


def _log_epoch(epoch: EpochMetrics, config: TrainingConfig) -> None:
    metrics = []
    if epoch.loss is not None:
        metrics.append(f"loss {epoch.loss:.3f}")
    if epoch.cosine is not None:
        metrics.append(f"held-out cosine {epoch.cosine:.3f}")
    if epoch.agreement is not None:
        metrics.append(f"mAP@10-20 {epoch.agreement:.1%}")
    stage = f"epoch {epoch.number} of {config.epochs}" if epoch.number else "untrained"
    log.info("%s tower, %s: %s", epoch.tower, stage, ", ".join(metrics) or "nothing held out")
