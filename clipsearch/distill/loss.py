"""The loss between a batch of student vectors and the teacher's vectors."""

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def distillation_loss(
    student: Tensor, teacher: Tensor, *, scale: float, temperature: float
) -> Tensor:
    """The loss of (n, d) student vectors against the teacher's; all have length 1.

    Row i of both belongs to example i. The loss is KL(p‖q) · T² + L1. Row i of p is the softmax
    over all j of scale · ⟨teacher i, teacher j⟩ / T; row i of q is that of
    scale · ⟨student i, teacher j⟩ / T. So p holds the similarities within the batch as the teacher
    computes them, with its own scale of cosines, each example included. Gradients of a softmax at
    temperature T shrink with 1/T²; the factor T² keeps their weight relative to L1 (Hinton et al.
    2015, "Distilling the Knowledge in a Neural Network", section 2). L1 is the sum of
    |student - teacher| over the dimensions. Both are means over the batch.
    """
    sharpness = scale / temperature
    targets = teacher.T
    target_log_probs = log_softmax(sharpness * (teacher @ targets), dim=1)
    log_probs = log_softmax(sharpness * (student @ targets), dim=1)
    divergence = kl_div(log_probs, target_log_probs, log_target=True, reduction="batchmean")
    return divergence * temperature**2 + (student - teacher).abs().sum(dim=1).mean()
