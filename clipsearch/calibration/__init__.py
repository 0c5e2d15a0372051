"""Calibration: the probability that a hit is relevant, from what a query can measure."""

from clipsearch.calibration.calibration import Calibration
from clipsearch.calibration.collection_calibration import find_calibration, hit_probabilities

__all__ = ["Calibration", "find_calibration", "hit_probabilities"]
