"""Distill a large model into a small one that finds nearly the same (Hinton et al. 2015)."""

from clipsearch.distill.pipeline import distill_model
from clipsearch.distill.report import DistillReport, EpochMetrics

__all__ = ["DistillReport", "EpochMetrics", "distill_model"]
