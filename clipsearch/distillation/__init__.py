"""From a large model to a small one that finds nearly the same (Hinton et al. 2015)."""

from clipsearch.distillation.distilling import distill
from clipsearch.distillation.report import Distilled, Epoch

__all__ = ["Distilled", "Epoch", "distill"]
