"""The texts that were read in the images of a collection, in a collection of their own."""

from clipsearch.store.texts.rows import TextRows
from clipsearch.store.texts.schema import TextRow, TextState

__all__ = ["TextRow", "TextRows", "TextState"]
