"""What a Milvus server of a version can do, and Milvus Lite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from clipsearch.store.index.kinds import INDEX_KINDS, MANAGED

Version: TypeAlias = tuple[int, int, int]

NEWEST = 99
"""A part of a version that is not known: such a server is far more likely new than old."""

_CLOUD_URI = re.compile(r"\w+://[^/]*\.(?:zillizcloud\.com|zilliz\.com(?:\.cn)?)(?::\d+)?(?:/|$)")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The features of the Milvus behind a store, and the names of the kinds of index it has."""

    server: str
    """For messages: "Milvus 2.6.4", "Milvus Lite 2.5", "Zilliz Cloud"."""

    index_kinds: frozenset[str]
    """Names of `INDEX_KINDS`."""

    is_local: bool = False
    """Whether this is Milvus Lite."""

    partial_upsert: bool = False
    """Whether an upsert may name some fields only, and leave the vector as it is."""

    mmap: bool = False
    """Whether the property `mmap.enabled` of a collection moves its data from memory to disk."""

    warmup: bool = False
    """Whether the properties `warmup.…` of a collection choose what is loaded before queries."""

    rest_import: bool = False
    """Whether files are imported by HTTP requests; older servers have a call of gRPC."""


def server_capabilities(version: str, uri: str) -> Capabilities:
    """Return what a server can do, by the text of its version, such as "v2.6.4" or "2.6-2026…".

    A version without a number, that of a development build, counts as the newest. Zilliz Cloud,
    known by its version or its URI, chooses the kind of index itself.
    """
    numbers = parse_version(version)
    is_cloud = "zilliz" in version.lower() or _CLOUD_URI.match(uri) is not None
    kinds = {name for name, kind in INDEX_KINDS.items() if kind.since and numbers >= kind.since}
    shown = ".".join(str(number) for number in numbers if number != NEWEST) or version
    return Capabilities(
        server="Zilliz Cloud" if is_cloud else f"Milvus {shown}",
        index_kinds=frozenset({MANAGED} if is_cloud else kinds),
        partial_upsert=numbers >= (2, 6, 2),
        mmap=numbers >= (2, 4, 0),
        warmup=numbers >= (2, 6, 4),
        rest_import=numbers >= (2, 4, 0),
    )


def lite_capabilities(*, native: bool) -> Capabilities:
    """Return what Milvus Lite can do: `native` is 2.5, the other is 3, written in Python."""
    version = 2 if native else 3
    kinds = frozenset(name for name, kind in INDEX_KINDS.items() if version in kind.lite)
    return Capabilities(
        server="Milvus Lite 2.5" if native else "Milvus Lite 3",
        index_kinds=kinds,
        is_local=True,
        partial_upsert=not native,
    )


def parse_version(text: str) -> Version:
    """Return major, minor and patch; NEWEST for those that the text lacks."""
    # Not the date of a build such as `master-20260404-31fb3fc`.
    match = re.search(r"(?<![\d.])(\d{1,2})\.(\d{1,3})(?:\.(\d{1,3}))?(?!\d)", text)
    if match is None:
        return NEWEST, NEWEST, NEWEST
    return int(match[1]), int(match[2]), int(match[3] or NEWEST)
