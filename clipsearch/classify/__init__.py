"""Classification: zero-shot from label names, or with a linear probe trained on examples.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision":
zero-shot prompts in section 3.1, linear probes in sections 3.1.5 and 3.2. A label becomes a text
through templates ("a photo of a {}"), the mean of their embeddings becomes the label's vector, and
the cosines with an image, times the model's own scale, become probabilities.
"""

from clipsearch.classify.class_matrix import ClassMatrix, build_class_matrix
from clipsearch.classify.labels import check_labels, read_labels
from clipsearch.classify.learning_curve import LearningCurve, LearningCurvePoint
from clipsearch.classify.linear_probe import LinearProbe
from clipsearch.classify.probe_fit import ProbeFit
from clipsearch.classify.templates import TEMPLATES, resolve_templates
from clipsearch.classify.zero_shot import ClassifyReport

__all__ = [
    "TEMPLATES",
    "ClassMatrix",
    "ClassifyReport",
    "LearningCurve",
    "LearningCurvePoint",
    "LinearProbe",
    "ProbeFit",
    "build_class_matrix",
    "check_labels",
    "read_labels",
    "resolve_templates",
]
