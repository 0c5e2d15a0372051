"""From a large model to a small one that finds nearly the same (Hinton et al. 2015)."""

from clipsearch.distill.distillation import distill
from clipsearch.distill.results import Distilled, Epoch

__all__ = ["Distilled", "Epoch", "distill"]
