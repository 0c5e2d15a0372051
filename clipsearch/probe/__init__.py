"""Linear probes: logistic regression on the vectors of a frozen model.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
sections 3.1.5 and 3.2: a few labelled pictures a class often beat the best prompt.
"""

from clipsearch.probe.applying import apply
from clipsearch.probe.curve import Curve, Point
from clipsearch.probe.fitting import Fitted, fit
from clipsearch.probe.probe import Probe

__all__ = ["Curve", "Fitted", "Point", "Probe", "apply", "fit"]
