"""The distillation loss against its formula in numpy."""

from typing import Any

import numpy as np
import pytest


def test_the_loss_is_its_formula() -> None:
    import torch

    from clipsearch.distill.loss import distillation_loss

    random = np.random.default_rng(0)
    s, t = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in random.standard_normal((2, 5, 8))
    )

    def softmax(logits: Any) -> Any:
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    p, q = softmax(20 / 4 * t @ t.T), softmax(20 / 4 * s @ t.T)
    expected = 16 * (p * np.log(p / q)).sum(axis=1).mean() + np.abs(s - t).sum(axis=1).mean()
    loss = distillation_loss(torch.tensor(s), torch.tensor(t), scale=20, temperature=4)
    assert float(loss) == pytest.approx(expected)
    equal = distillation_loss(torch.tensor(t), torch.tensor(t), scale=20, temperature=2)
    assert float(equal) < 1e-9
