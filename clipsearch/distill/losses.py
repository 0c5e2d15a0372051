"""How far a batch of a student's vectors is from its teacher's."""

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def distance(student: Tensor, teacher: Tensor, *, scale: float, temperature: float) -> Tensor:
    """The loss of (n, d) vectors of length 1 against the teacher's of the same n examples.

    KL(p‖q) · T² + L1. Row i of p is the softmax, over all j, of scale · ⟨teacher i, teacher j⟩ / T,
    and of q that of scale · ⟨student i, teacher j⟩ / T: which of the batch's pictures look alike to
    the teacher, itself included, with the teacher's own scale of cosines. Gradients of a softmax at
    temperature T shrink with 1/T²; times T² they keep their weight beside L1's (Hinton et al. 2015,
    "Distilling the Knowledge in a Neural Network", section 2). L1 is the sum over dimensions of
    |student - teacher|. Both are means over the batch.
    """
    sharpness = scale / temperature
    targets = teacher.T
    truth = log_softmax(sharpness * (teacher @ targets), dim=1)
    guess = log_softmax(sharpness * (student @ targets), dim=1)
    alike = kl_div(guess, truth, log_target=True, reduction="batchmean") * temperature**2
    return alike + (student - teacher).abs().sum(dim=1).mean()
