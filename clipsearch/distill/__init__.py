"""From a large model to a small one that finds nearly the same (Hinton et al. 2015)."""

from clipsearch.distill.pipeline import distill_model
from clipsearch.distill.report import DistillReport, Epoch

__all__ = ["DistillReport", "Epoch", "distill_model"]
