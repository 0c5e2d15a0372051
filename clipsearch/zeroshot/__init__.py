"""Classification by names alone: the nearest label's prompt wins.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
section 3.1. A label becomes a text through templates ("a photo of a {}"), their embeddings'
average becomes the label's vector, and the cosines with a picture, times the model's own scale,
become probabilities.
"""

from clipsearch.zeroshot.classes import Classes, class_matrix
from clipsearch.zeroshot.files import Classified, classify
from clipsearch.zeroshot.labels import check_labels, read_labels
from clipsearch.zeroshot.templates import TEMPLATES, chosen_templates

__all__ = [
    "TEMPLATES",
    "Classes",
    "Classified",
    "check_labels",
    "chosen_templates",
    "class_matrix",
    "classify",
    "read_labels",
]
