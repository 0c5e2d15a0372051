"""A server of a small collection, called by the SDK's own client within this process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mcp import Client
from mcp.types import CallToolResult, ListToolsResult

from clipsearch import Index
from clipsearch.files.paths import canonical
from clipsearch.images.hashing import image_id
from clipsearch.mcp.idle_index import IdleIndex
from clipsearch.mcp.server import create_server
from clipsearch.models.base import Encoder
from tests.helpers.fakes import ColorEncoder, draw

T = TypeVar("T")
COLORS = ("red", "green", "blue")


@dataclass
class Assistant:
    """Calls the tools of a server, one connection for each call."""

    index: IdleIndex
    folder: Path
    opened: list[Encoder | None] = field(default_factory=list)

    def call(self, name: str, **arguments: Any) -> CallToolResult:
        return asyncio.run(self._connected(lambda client: client.call_tool(name, arguments)))

    def result(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that succeeds."""
        done = self.call(name, **arguments)
        assert not done.is_error, done.content
        assert isinstance(done.structured_content, dict)
        return done.structured_content

    def error(self, name: str, **arguments: Any) -> str:
        """The message of a call that fails."""
        done = self.call(name, **arguments)
        assert done.is_error
        [content] = done.content
        assert content.type == "text"
        return content.text

    def names(self, name: str, **arguments: Any) -> list[str]:
        """The file names without suffix of the images that a call finds."""
        return [Path(image["path"]).stem for image in self.result(name, **arguments)["images"]]

    def tools(self) -> ListToolsResult:
        return asyncio.run(self._connected(lambda client: client.list_tools()))

    def id_of(self, color: str) -> str:
        return image_id(canonical(self.folder / f"{color}.png"))

    async def _connected(self, use: Callable[[Client], Awaitable[T]]) -> T:
        async with Client(create_server(self.index)) as client:
            return await use(client)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An assistant with red, green and blue.png, 30 mixed colors, and 1 damaged file."""
    place = tmp_path_factory.mktemp("mcp").resolve()
    folder = place / "images"
    for color in COLORS:
        draw(folder / f"{color}.png", color, size=(64, 48))
    for number in range(1, 31):
        draw(folder / "mixed" / f"mixed{number}.png", (90 + 4 * number, 150, 220 - 5 * number))
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    file, encoder = place / "a.db", ColorEncoder(name="colors")
    with Index.open(file, model=encoder, daemon=False) as index:
        index.ingest(folder)
    opened: list[Encoder | None] = []

    def open_index(model: Encoder | None) -> Index:
        opened.append(model)
        return Index.open(file, model=model or encoder, create=False, daemon=False)

    index_when_used = IdleIndex(open_index)
    yield Assistant(index_when_used, folder, opened)
    index_when_used.close()
