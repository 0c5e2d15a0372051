"""Queries: parse the terms, embed them, search the collection."""

from clipsearch.query.filters import Filters
from clipsearch.query.parser import StoredImage, Term, parse
from clipsearch.query.search import Query, search

__all__ = ["Filters", "Query", "StoredImage", "Term", "parse", "search"]
