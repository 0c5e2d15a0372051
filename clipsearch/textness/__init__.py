"""How much text a picture shows, and queries that ask for more or less of it."""

from clipsearch.textness.drawing import Writer, backdrop
from clipsearch.textness.fitting import fit, fit_vectors
from clipsearch.textness.fonts import find_fonts
from clipsearch.textness.kept import Textness
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.shift import apply, project

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
