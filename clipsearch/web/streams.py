"""Streamed responses that leave nothing open."""

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class ClosingStream(StreamingResponse):
    """Closes its async generator at the end, also if the client does not take all of it.

    Otherwise what the generator holds, such as an open file, would wait for the garbage collector.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if close := getattr(self.body_iterator, "aclose", None):
                await close()
