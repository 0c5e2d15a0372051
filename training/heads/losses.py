"""What the heads are trained for: pictures near their texts, and near the names of what they show.

Contrastive loss as in CLIP (Radford et al. 2021) with several right answers a picture, as in
Khosla et al. 2020 ("Supervised contrastive learning"). The rest is distillation (Hinton et al. 2015) of ImageNet's classifier into words.
"""

from torch import Tensor


def contrastive(images: Tensor, texts: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """Softmax over texts and over pictures; `same` (n, m) says which belong together."""
    logits = scale * images @ texts.T
    right = same.float()
    return 0.5 * (_cross(logits, right) + _cross(logits.T, right.T))


def distil(images: Tensor, texts: Tensor, shares: Tensor, scale: Tensor) -> Tensor:
    """Pull each picture (n, d) to texts (m, d) in the given shares (n, m), rows of sum ≤ 1."""
    return -(shares * (scale * images @ texts.T).log_softmax(1)).sum(1).mean()


def family_shares(probabilities: Tensor, members: Tensor, most: int) -> Tensor:
    """From class probabilities (n, c) and members (f, c): how much of a picture is each family.

    Families of more than `most` classes look like nothing in particular, and get no share.
    """
    shares = probabilities @ (members * (members.sum(1, keepdim=True) <= most)).T
    return shares / (shares.sum(1, keepdim=True) + 1e-3)


def _cross(logits: Tensor, right: Tensor) -> Tensor:
    shares = right / right.sum(1, keepdim=True)
    return -(shares * logits.log_softmax(1)).sum(1).mean()
