"""A titled group of results, as contact sheets show it, and its single cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.render.table import shown_scores
from clipsearch.types import Hit


@dataclass(frozen=True, slots=True)
class Section:
    """The results of one query: its words as `title`, its pictures as `queries`, its `hits`.

    Ranks count from `start`.
    """

    title: str
    hits: Sequence[Hit]
    queries: Sequence[Path] = ()
    start: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture and what stands below it; every text is harmless to show."""

    path: Path
    label: str
    scores: str
    name: str
    is_query: bool


def cells(section: Section) -> list[Cell]:
    """The query pictures of `section`, then its hits."""
    queries = [
        Cell(path, "query", "", escape_control(path.name), is_query=True)
        for path in section.queries
    ]
    hits = [
        Cell(hit.path, str(rank), shown_scores(hit), escape_control(hit.path.name), is_query=False)
        for rank, hit in enumerate(section.hits, section.start)
    ]
    return queries + hits
