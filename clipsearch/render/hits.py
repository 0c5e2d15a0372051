"""Search results as a list."""

from typing import SupportsIndex, overload

from clipsearch.render import notebook
from clipsearch.types import Hit


class Hits(list[Hit]):
    """Search results, best first; a notebook shows them as pictures."""

    def _repr_html_(self) -> str:
        return notebook.html(self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Hit: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Hits": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "Hit | Hits":
        """A hit, or hits that still show as pictures."""
        found = super().__getitem__(index)
        return found if isinstance(found, Hit) else Hits(found)
