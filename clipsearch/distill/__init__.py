"""From a large model to a small one that finds nearly the same (Hinton et al. 2015)."""

from clipsearch.distill.distillation import distill_model
from clipsearch.distill.results import DistillReport, Epoch

__all__ = ["DistillReport", "Epoch", "distill_model"]
