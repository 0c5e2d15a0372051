"""Explain a match: where an image matches a text, and what each word contributes."""

from clipsearch.explain.explanation import METHODS, Explanation, explain_match
from clipsearch.explain.words import Contribution

__all__ = ["METHODS", "Contribution", "Explanation", "explain_match"]
