"""Why a picture matches a text: where in the picture, and through which words."""

from clipsearch.explanation.explaining import METHODS, Explanation, explain
from clipsearch.explanation.words import Contribution

__all__ = ["METHODS", "Contribution", "Explanation", "explain"]
