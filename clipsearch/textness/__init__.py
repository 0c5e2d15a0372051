"""How much text a picture shows, and queries that ask for more or less of it."""

from clipsearch.textness.collection_textness import Textness
from clipsearch.textness.fit import fit_probe, fit_vectors
from clipsearch.textness.fonts import find_fonts
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.steering import project_out, shift_query
from clipsearch.textness.synthetic_text import TextRenderer, draw_background

__all__ = [
    "TextRenderer",
    "Textness",
    "TextnessProbe",
    "draw_background",
    "find_fonts",
    "fit_probe",
    "fit_vectors",
    "project_out",
    "shift_query",
]
