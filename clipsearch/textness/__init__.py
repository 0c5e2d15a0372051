"""Textness: how much text an image shows, and queries steered by it."""

from clipsearch.fonts import find_fonts
from clipsearch.textness.backgrounds import draw_background
from clipsearch.textness.collection_textness import Textness
from clipsearch.textness.fit import fit_vectors
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.steering import project_out, shift_query, steer
from clipsearch.textness.synthetic_text import TextRenderer

__all__ = [
    "TextRenderer",
    "Textness",
    "TextnessProbe",
    "draw_background",
    "find_fonts",
    "fit_vectors",
    "project_out",
    "shift_query",
    "steer",
]
