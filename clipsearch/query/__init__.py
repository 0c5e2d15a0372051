"""Queries: parse the terms, embed them, search the collection.

What this package exports loads without numpy, for queries through the daemon.
"""

from clipsearch.query.filters import Filters
from clipsearch.query.parser import StoredImage, Term, parse
from clipsearch.query.place import Near
from clipsearch.query.query import Query

__all__ = ["Filters", "Near", "Query", "StoredImage", "Term", "parse"]
