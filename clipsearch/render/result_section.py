"""A titled section of tiles with the results of one query, for sheets and HTML pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.records import Hit
from clipsearch.render.display_text import format_scores


@dataclass(frozen=True, slots=True)
class Tile:
    """An image file with its caption; control characters in the texts are escaped."""

    path: Path
    label: str
    scores: str
    name: str
    is_query: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The results of one query: its text as `title`, its image queries, and its hits.

    Ranks count from `start`.
    """

    title: str
    hits: Sequence[Hit]
    queries: Sequence[Path] = ()
    start: int = 1

    def tiles(self) -> list[Tile]:
        """A tile for each image query, then one for each hit."""
        queries = [
            Tile(path, "query", "", escape_control(path.name), is_query=True)
            for path in self.queries
        ]
        hits = [
            Tile(
                hit.path,
                str(rank),
                format_scores(hit),
                escape_control(hit.path.name),
                is_query=False,
            )
            for rank, hit in enumerate(self.hits, self.start)
        ]
        return queries + hits
