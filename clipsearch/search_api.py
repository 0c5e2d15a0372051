"""The searches of the Python API: an Index makes them here, a Client asks a server."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from clipsearch import arguments
from clipsearch.query import Filters, Query, Term
from clipsearch.query.image_input import ImageInput, query_terms, to_content
from clipsearch.query.query import TextnessScale
from clipsearch.render.notebook import Hits


class SearchAPI(ABC):
    """Searches by text, by image and by both, as queries for `_search`."""

    @abstractmethod
    def _search(self, queries: Sequence[Query]) -> list[Hits]:
        """Return the hits of each query, in order."""

    def search(
        self,
        text: str | None = None,
        *,
        image: ImageInput | None = None,
        says: str | None = None,
        weights: tuple[float, float] = (1.0, 1.0),
        limit: int = 10,
        offset: int = 0,
        filters: Filters | None = None,
        min_score: float | None = None,
        min_z: float | None = None,
        min_p: float | None = None,
        exclude_images: bool = False,
        textness: TextnessScale | None = None,
        max_textness: float | None = None,
    ) -> Hits:
        """Find the images nearest to a text, an image, or their weighted sum, best first.

        With `says`, alone or with these, only the images that show all of its words or "phrases".
        `image` is a path, a URL, `id:…`, or an image in memory (see `Term`). `weights` are those of
        text and image. See `Query` for the other options and the errors, and `search_many` for more
        than two terms.
        """
        query = Query(
            query_terms(text, image, weights),
            limit=limit,
            offset=offset,
            filters=arguments.instance("filters", filters, Filters),
            min_score=min_score,
            min_z=min_z,
            min_p=min_p,
            exclude_images=exclude_images,
            textness=textness,
            max_textness=max_textness,
            says=says,
        )
        return self.search_many([query])[0]

    def search_many(self, queries: Sequence[str | Query]) -> list[Hits]:
        """Return the hits of each query, in order; much faster than one call each."""
        given = arguments.sequence("queries", queries, (str, Query), "strings or Query objects")
        parsed = [Query((Term(query),)) if isinstance(query, str) else query for query in given]
        return self._search(parsed)

    def similar(
        self,
        image: ImageInput,
        *,
        limit: int = 10,
        min_z: float | None = None,
        textness: TextnessScale | None = None,
        max_textness: float | None = None,
    ) -> Hits:
        """Find the images most similar to one, without it and its copies; see `Query`."""
        terms = (Term(to_content(image)),)
        query = Query(
            terms,
            limit=limit,
            min_z=min_z,
            exclude_images=True,
            textness=textness,
            max_textness=max_textness,
        )
        return self.search_many([query])[0]
