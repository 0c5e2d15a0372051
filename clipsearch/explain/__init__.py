"""Why a picture matches a text: where in the picture, and through which words."""

from clipsearch.explain.explanation import METHODS, Explanation, explain_match
from clipsearch.explain.words import Contribution

__all__ = ["METHODS", "Contribution", "Explanation", "explain_match"]
