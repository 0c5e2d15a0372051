"""Logistic regression for two classes, in numpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 100
TINY = 1e-9


def logistic(
    rows: Floats, positive: Floats, weights: Floats, penalty: float
) -> tuple[Floats, float]:
    """The weight vector (d,) and the intercept that minimise the cross-entropy, by Newton's method.

    `rows` is (n, d), `positive` (n,) the wanted probabilities, `weights` (n,) what each row counts,
    of sum 1; `penalty` / 2 times the squared weight vector is added, the intercept is free. This is
    an `nn.Linear(d, 2)` with softmax and weight decay `penalty` / 2: there the two weight rows come
    out as plus and minus half of the vector.
    """
    count, dim = rows.shape
    augmented = np.hstack([rows, np.ones((count, 1))])
    decay = np.append(np.full(dim, penalty), TINY)  # a curvature for the intercept of sure rows
    solution = np.zeros(dim + 1)

    def loss(candidate: Floats) -> float:
        logits = augmented @ candidate
        return float(weights @ (np.logaddexp(0, logits) - positive * logits)) + float(
            decay @ candidate**2 / 2
        )

    before = loss(solution)
    for _ in range(STEPS):
        predicted = sigmoid(augmented @ solution)
        gradient = augmented.T @ (weights * (predicted - positive)) + decay * solution
        curvature = (augmented * (weights * predicted * (1 - predicted))[:, None]).T @ augmented
        step = np.linalg.solve(curvature + np.diag(decay), gradient)
        # Far from the minimum a whole step may overshoot.
        while (after := loss(solution - step)) > before + TINY and np.abs(step).max() > TINY:
            step /= 2
        solution = solution - step
        if before - after < 1e-12:
            break
        before = after
    return solution[:-1], float(solution[-1])


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    result: Floats = 0.5 + 0.5 * np.tanh(values / 2)
    return result
