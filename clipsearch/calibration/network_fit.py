"""Fitting the network of a calibration with numpy: AdamW (Loshchilov & Hutter 2019)."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clipsearch.calibration.network import Floats, Network, sigmoid

HIDDEN = 16  # units of each member
MEMBERS = 3  # networks whose logits are averaged
EPOCHS = 12
BATCH = 8_192
RATE = 9e-3  # largest learning rate; it rises for a third of the steps, then falls to 0
DECAY = 1e-2  # of the weights


def fit_network(features: Floats, targets: Floats, weights: Floats, draw: Generator) -> Network:
    """Fit to (n, f) features with targets (n,) from 0, by weighted cross-entropy.

    The mean of MEMBERS networks with one hidden layer is one network of that kind, too.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    rows = (features - mean) / scale
    weights = weights / weights.mean()
    members = [_fit_member(rows, targets, weights, draw) for _ in range(MEMBERS)]
    hidden, bias, out, out_bias = zip(*members, strict=True)
    return Network(
        mean,
        scale,
        np.concatenate(hidden),
        np.concatenate(bias),
        np.asarray(np.concatenate(out) / MEMBERS, dtype=np.float32),
        np.asarray(np.mean(out_bias, axis=0), dtype=np.float32),
    )


def _fit_member(rows: Floats, targets: Floats, weights: Floats, draw: Generator) -> list[Floats]:
    count = rows.shape[1]
    parameters = [
        draw.uniform(-1, 1, (HIDDEN, count)).astype(np.float32) / np.float32(count**0.5),
        np.zeros(HIDDEN, np.float32),
        draw.uniform(-1, 1, HIDDEN).astype(np.float32) / np.float32(HIDDEN**0.5),
        np.zeros(1, np.float32),
    ]
    first = [np.zeros_like(part) for part in parameters]
    second = [np.zeros_like(part) for part in parameters]
    for step, (at, rate) in enumerate(_steps(len(rows), draw), 1):
        gradients = _gradients(parameters, rows[at], targets[at], weights[at])
        for part, gradient, m, v in zip(parameters, gradients, first, second, strict=True):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            part -= rate * DECAY * part
            part -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return parameters


def _steps(rows: int, draw: Generator) -> Iterator[tuple[NDArray[np.intp], float]]:
    """Yield the rows and the learning rate of each step."""
    total = EPOCHS * -(-rows // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = draw.permutation(rows)
        for start in range(0, rows, BATCH):
            share = step / total
            ramp = share / 0.3 if share < 0.3 else (1 + np.cos(np.pi * (share - 0.3) / 0.7)) / 2
            yield order[start : start + BATCH], RATE * float(max(ramp, 0.04))
            step += 1


def _gradients(
    parameters: list[Floats], rows: Floats, targets: Floats, weights: Floats
) -> list[Floats]:
    hidden, bias, out, out_bias = parameters
    units = np.tanh(rows @ hidden.T + bias)
    error = weights * (sigmoid(units @ out + out_bias) - targets) / len(rows)
    back = error[:, None] * out * (1 - units**2)
    return [back.T @ rows, back.sum(axis=0), units.T @ error, error.sum(keepdims=True)]
