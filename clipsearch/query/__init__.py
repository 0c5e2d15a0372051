"""The query module: parse, embed, search."""

from clipsearch.query.filters import Filters
from clipsearch.query.search import Query, search
from clipsearch.query.terms import Indexed, Term, parse

__all__ = ["Filters", "Indexed", "Query", "Term", "parse", "search"]
