"""Losses of the heads.

The contrastive loss is CLIP's (Radford et al. 2021) with several positives per image, as in Khosla
et al. 2020 ("Supervised contrastive learning"). The others distill ImageNet's classifier into class
names (Hinton et al. 2015), and rank an own caption before a hard negative.
"""

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it


def contrastive(images: Tensor, texts: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """Cross entropy over texts and over images; `same` (n, m) marks the positive pairs."""
    logits = scale * images @ texts.T
    right = same.float()
    return 0.5 * (_cross(logits, right) + _cross(logits.T, right.T))


def distill(images: Tensor, texts: Tensor, shares: Tensor, scale: Tensor) -> Tensor:
    """Cross entropy of images (n, d) over texts (m, d) with targets (n, m), row sums ≤ 1."""
    return -(shares * (scale * images @ texts.T).log_softmax(1)).sum(1).mean()


def family_shares(probabilities: Tensor, members: Tensor, most: int) -> Tensor:
    """Return the probability of each family from those of classes (n, c) and members (f, c).

    Families of more than `most` classes have no common look and get 0.
    """
    shares = probabilities @ (members * (members.sum(1, keepdim=True) <= most)).T
    return shares / (shares.sum(1, keepdim=True) + 1e-3)


def ranked(images: Tensor, own: Tensor, wrong: Tensor, scale: Tensor) -> Tensor:
    """Mean logistic loss of each image's own text (n, d) against a wrong one, 0 without any."""
    if not len(images):
        return scale * 0
    return F.softplus(scale * (images * (wrong - own)).sum(1)).mean()


def _cross(logits: Tensor, right: Tensor) -> Tensor:
    shares = right / right.sum(1, keepdim=True)
    return -(shares * logits.log_softmax(1)).sum(1).mean()
