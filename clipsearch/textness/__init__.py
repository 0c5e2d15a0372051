"""How much text a picture shows, and queries that ask for more or less of it."""

from clipsearch.textness.fit import fit, fit_vectors
from clipsearch.textness.fonts import find_fonts
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.saved import Textness
from clipsearch.textness.steering import apply, project
from clipsearch.textness.synthetic_text import Writer, backdrop

__all__ = [
    "Textness",
    "TextnessProbe",
    "Writer",
    "apply",
    "backdrop",
    "find_fonts",
    "fit",
    "fit_vectors",
    "project",
]
