"""How current the reads of a Milvus server are; Milvus Lite always reads every write."""

from __future__ import annotations

from typing import Literal, TypeAlias

from clipsearch.errors import UsageError

Consistency: TypeAlias = Literal["strong", "session", "bounded", "eventually"]
"""What a read includes.

`strong`: every write before it, which takes 0.2 s. `session`: the writes of this process, and of
others as `bounded`. `bounded`: what was written until a few seconds ago (`gracefulTime` of the
server, 5 s). `eventually`: whatever has arrived.
"""

LEVELS: tuple[Consistency, ...] = ("strong", "session", "bounded", "eventually")
DEFAULT: Consistency = "session"


def parse_consistency(text: str) -> Consistency:
    """Return the level of this name; raise UsageError on any other text."""
    if text not in LEVELS:
        raise UsageError(f"consistency must be one of {', '.join(LEVELS)}, not {text!r}")
    return text
